"""What a checkpoint keeps: the reference benchmarks, where their data come from, and their aggregate."""
