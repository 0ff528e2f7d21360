"""A tokenizer's chat template as token ids: what the environment adds, what the learner says, and the mask over both.

Rollouts only ever append, so they need a template that renders a message the same way whatever follows it, and that
ends the learner's message with one token. `load_chat` checks both before anything is generated or trained.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from playpen_eval.errors import UserError, require
from playpen_eval.players import clean_reply

MINIMAL = (
    "{%- for message in messages -%}"
    "{%- if message['role'] == 'assistant' -%}"
    "{{ 'Assistant:\\n' }}{% generation %}{{ message['content'] + eos_token }}{% endgeneration %}{{ '\\n\\n' }}"
    "{%- else -%}"
    "{{ message['role'].capitalize() + ':\\n' + message['content'] + '\\n\\n' }}"
    "{%- endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ 'Assistant:\\n' }}{%- endif -%}"
)
"""A template for models without one: names of the roles as text, the end-of-text token after each reply."""

OFFER = "; --chat-template minimal is a plain one for models without, --chat-template FILE.jinja takes yours"

_TALK = [
    {"role": "user", "content": "one"},
    {"role": "assistant", "content": "two"},
    {"role": "user", "content": "three"},
    {"role": "assistant", "content": "four"},
    {"role": "user", "content": "five"},
    {"role": "assistant", "content": "six"},
]
_THOUGHT = "<think>\nseven\n</think>\n\neight"


class Encoded(NamedTuple):
    """One seat's chat as ids.

    Attributes:
        prompt_ids: Everything before the learner's first reply.
        completion_ids: Everything after that, up to the end of the learner's last reply.
        mask: For each of `completion_ids` 1 if the learner said it.
        turn_of: For each of `completion_ids` the number of the learner's turn, -1 for what others said.
    """

    prompt_ids: list[int]
    completion_ids: list[int]
    mask: list[int]
    turn_of: list[int]


class Chat:
    """A checked chat template with its tokenizer.

    Attributes:
        tokenizer: The tokenizer; its `chat_template` is the one in use.
        template: Where the template comes from: `own`, `minimal`, `trl` (its training template), or a file name.
        end: Id of the token that ends the learner's turn.
        stops: Ids that end a generation: `end` and the tokenizer's end of text.
    """

    def __init__(self, tokenizer: Any, template: str = "own"):
        """Checks the template.

        Raises:
            UserError: It rewrites history, has no token at the end of a turn, or cannot render a plain chat.
        """
        self.tokenizer = tokenizer
        self.template = template
        self._specials = _special_tokens(tokenizer)
        self._control = re.compile(
            "|".join(map(re.escape, sorted(self._specials.values(), key=len, reverse=True))) or r"(?!)", re.IGNORECASE
        )
        self._folds = any(token.normalized for token in tokenizer.added_tokens_decoder.values())
        self._opening = self._render(_TALK[:1], True)
        self.end, self._lead = self._find_end()
        self.stops = {self.end} | ({tokenizer.eos_token_id} - {None})
        closed = self._render(_TALK[:2])
        word = self._specials[self.end]
        self._closed = closed[: closed.rindex(word) + len(word)]
        self._closed_ids = self._ids(self._closed)
        self._opening_ids = self._ids(self._opening)
        # A game that is forgotten asks the same again and again, and is answered the same.
        self._suffix = functools.lru_cache(maxsize=4096)(self._make_suffix)
        self._text = functools.lru_cache(maxsize=4096)(self._make_text)
        self._prompt = functools.lru_cache(maxsize=512)(self._make_prompt)
        self._reply = functools.lru_cache(maxsize=4096)(self._make_reply)
        self._check()

    @property
    def sha256(self) -> str:
        """Digest of the template, for manifests: evaluate with the one that was trained with."""
        return hashlib.sha256(str(self.tokenizer.chat_template).encode()).hexdigest()

    def prompt_ids(self, messages: Sequence[Mapping[str, str]]) -> list[int]:
        """The ids after which the learner speaks.

        Args:
            messages: A chat that ends with what the learner is asked.

        Raises:
            UserError: The template refuses these messages (many know no system role).
        """
        return list(self._prompt(tuple((message["role"], message["content"]) for message in messages)))

    def suffix_ids(self, messages: Sequence[Mapping[str, str]]) -> list[int]:
        """What comes between the end token of one reply of the learner and the beginning of the next.

        Args:
            messages: What others say in between, ending with a user message.
        """
        return list(self._suffix(tuple((message["role"], message["content"]) for message in messages)))

    def reply_ids(self, text: str) -> list[int]:
        """A reply of the learner, with the end token, as it would have to be generated."""
        return list(self._reply(text))

    def _make_prompt(self, messages: tuple[tuple[str, str], ...]) -> list[int]:
        told = [{"role": role, "content": self.plain(content)} for role, content in messages]
        return self._ids(self._render(told, True))

    def _make_reply(self, text: str) -> list[int]:
        reply = {"role": "assistant", "content": self.plain(text)}
        whole = self._render([_TALK[0], reply])
        word = self._specials[self.end]
        whole = whole[: whole.rindex(word) + len(word)]
        ids = self._ids(whole)
        if ids[: len(self._opening_ids)] == self._opening_ids:
            return ids[len(self._opening_ids) :]
        # The beginning of the reply merges with the end of the prompt, which a generation never does.
        return self._ids(whole[len(self._opening) :])

    def text(self, ids: Sequence[int]) -> str:
        """What a game may see of a generated reply: no end token, no other control token."""
        return self._text(tuple(ids))

    def encode(self, messages: Sequence[Mapping[str, str]], learn: Iterable[int]) -> Encoded:
        """A chat that exists as text only.

        Args:
            messages: One seat's chat.
            learn: Places of the messages that the learner said; all others carry no loss.

        Raises:
            UserError: Nothing is to be learned, or a learned message is no assistant's answer to somebody.
        """
        places = sorted(set(learn))
        if not places:
            raise UserError("the chat has no message of the learner, so there is nothing to train on")
        for place in places:
            answered = 0 < place < len(messages) and messages[place - 1]["role"] != "assistant"
            if not answered or messages[place]["role"] != "assistant":
                raise UserError(f"message {place} of the chat is no assistant's answer to somebody")
        out = Encoded(self.prompt_ids(messages[: places[0]]), [], [], [])
        before = None
        for turn, place in enumerate(places):
            if before is not None:
                _append(out, self.suffix_ids(messages[before + 1 : place]), 0, -1)
            _append(out, self.reply_ids(messages[place]["content"]), 1, turn)
            before = place
        return out

    def plain(self, text: str) -> str:
        """A text in which nothing is a control token: a blank after the first letter of whatever looks like one."""
        if not text.isascii():  # halves of surrogate pairs, which tokenizers do not take
            text = text.encode("utf-8", "replace").decode("utf-8")
        while self._control.search(text):
            text = self._control.sub(lambda found: f"{found[0][0]} {found[0][1:]}" if len(found[0]) > 1 else " ", text)
        if self._folds:
            # Such tokens are also found in what a normalizer makes of the text.
            ids = self._ids(text)
            if any(token in self._specials for token in ids):
                text = self.tokenizer.decode([token for token in ids if token not in self._specials])
        return text

    def _make_suffix(self, messages: tuple[tuple[str, str], ...]) -> tuple[int, ...]:
        new = [{"role": role, "content": self.plain(content)} for role, content in messages]
        ids = self._ids(self._render([*_TALK[:2], *new], True))
        if ids[: len(self._closed_ids)] != self._closed_ids:
            raise UserError(self._complaint("it renders a message differently when others follow"))
        return tuple(ids[len(self._closed_ids) :])

    def _make_text(self, ids: tuple[int, ...]) -> str:
        text = self.tokenizer.decode([token for token in ids if token not in self.stops], skip_special_tokens=True)
        return clean_reply(text.removeprefix(self._lead))

    def _render(self, messages: Sequence[Mapping[str, str]], ask: bool = False) -> str:
        try:
            return self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=ask)
        except Exception as error:  # a template may raise whatever it likes
            roles = ", ".join(message["role"] for message in messages)
            raise UserError(
                self._complaint(f"it does not take messages of {roles} ({type(error).__name__}: {error})")
            ) from None

    def _ids(self, text: str) -> list[int]:
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def _complaint(self, what: str) -> str:
        name = self.tokenizer.name_or_path or type(self.tokenizer).__name__
        return f"the chat template of {name} cannot be trained with: {what}{OFFER}"

    def _find_end(self) -> tuple[int, str]:
        """The token after the learner's text, and what the template writes before that text."""
        said = _TALK[1]["content"]
        whole = self._render(_TALK[:2])
        if not whole.startswith(self._opening):
            raise UserError(self._complaint("the prompt that asks for a reply is not the beginning of the reply"))
        lead, found, tail = whole[len(self._opening) :].partition(said)
        end = next((token for token in self._ids(tail) if token in self._specials), None)
        if not found or end is None:
            raise UserError(self._complaint(f"no special token ends a reply (after it comes {tail!r})"))
        if self._opening == self._render(_TALK[:1]) and any(token in self._specials for token in self._ids(lead)):
            raise UserError(self._complaint(f"it has no prompt for a reply, which would have to begin with {lead!r}"))
        return end, self.tokenizer.decode(self._ids(lead), skip_special_tokens=True)

    def _check(self) -> None:
        for said in (_TALK[3]["content"], _THOUGHT):
            talk = [*_TALK[:3], {"role": "assistant", "content": said}, *_TALK[4:]]
            for count in range(1, len(talk)):
                asks = talk[count]["role"] == "assistant"
                begin = self._render(talk[:count], asks)
                begin = begin if asks else begin[: begin.rindex(self._specials[self.end])]
                if not self._render(talk).startswith(begin):
                    raise UserError(self._complaint("it rewrites earlier messages when later ones come"))
            whole, made = self._ids(self._render(talk)), self.encode(talk, (1, 3, 5))
            joined = made.prompt_ids + made.completion_ids
            if joined != whole[: len(joined)]:
                raise UserError(self._complaint("the same message becomes other tokens at another place of the chat"))


def _append(out: Encoded, ids: list[int], mask: int, turn: int) -> None:
    out.completion_ids.extend(ids)
    out.mask.extend([mask] * len(ids))
    out.turn_of.extend([turn] * len(ids))


def _special_tokens(tokenizer: Any) -> dict[int, str]:
    """Control tokens, id -> text; never the token for unknown words."""
    added = {index: token.content for index, token in tokenizer.added_tokens_decoder.items() if token.special}
    named = dict(zip(tokenizer.all_special_ids, tokenizer.all_special_tokens, strict=True))
    return {index: text for index, text in (added | named).items() if text and index != tokenizer.unk_token_id}


def load_chat(tokenizer: Any, template: str | None = None) -> Chat:
    """Checks a tokenizer's chat template, and takes another one where that is needed.

    Args:
        tokenizer: A tokenizer of transformers, or the folder or name of a model. Its `chat_template` is set to the
            template in use, so that a saved model is evaluated with what it was trained with.
        template: None for the tokenizer's own, `minimal`, or a .jinja file.

    Returns:
        The chat. Where the own template rewrites history it uses TRL's training template for that family of models.

    Raises:
        UserError: There is no template, or none that can be trained with.
    """
    if isinstance(tokenizer, str | Path):
        tokenizer = _load_tokenizer(str(tokenizer))
    if template == "minimal":
        if tokenizer.eos_token is None:
            raise UserError("the minimal chat template needs a tokenizer with an end-of-text token (eos_token)")
        tokenizer.chat_template = MINIMAL
        return Chat(tokenizer, "minimal")
    if template is not None:
        try:
            tokenizer.chat_template = Path(template).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"cannot read the chat template {template!r}: {error}{OFFER}") from None
        return Chat(tokenizer, Path(template).name)
    if not tokenizer.chat_template:
        raise UserError(f"{tokenizer.name_or_path or 'the tokenizer'} has no chat template{OFFER}")
    try:
        return Chat(tokenizer)
    except UserError as error:
        trained = _training_template(tokenizer)
        if trained is None:
            raise error
        tokenizer.chat_template = trained
        return Chat(tokenizer, "trl")


def _load_tokenizer(name: str) -> Any:
    transformers = require("transformers", "hf")
    require("torch", "hf")
    from .value_model import register

    register()  # a tokenizer's folder is looked through for the model's class, too
    try:
        return transformers.AutoTokenizer.from_pretrained(name)
    except UserError:
        raise
    except Exception as error:  # transformers and the hub have errors of all kinds
        raise UserError(f"cannot load the tokenizer of {name!r}: {type(error).__name__}: {error}") from None


def _training_template(tokenizer: Any) -> str | None:
    trl = require("trl.chat_template_utils", "train")
    try:
        return trl.get_training_chat_template(tokenizer)
    except ValueError:  # not one of the families that TRL knows
        return None
