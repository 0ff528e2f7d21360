"""Training between evaluations: rows, chat templates, rollouts and data sets. Nothing in the core imports it."""
