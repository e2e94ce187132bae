"""Finds language models by their names in the genai-prices data, however gateways and clouds spell them."""

import re
from collections.abc import Iterator

from genai_prices.data_snapshot import DataSnapshot, get_snapshot
from genai_prices.types import ModelInfo

# So many names the data are asked for before what they remember of names is forgotten.
_MOST_NAMES = 8192
# Gateways' names of providers that the data has under another.
_ALIASES = {"fireworks_ai": "fireworks", "azure_ai": "azure", "azure_text": "azure", "voyage": "voyageai"}
# What runs on machines of one's own costs what those cost, whatever somebody asks for a model of that name. Letters
# and digits only: some write LM Studio, others lm_studio or lmstudio.
_SELF_HOSTED = frozenset(
    (
        *("ollama", "ollamachat", "vllm", "hostedvllm", "lmstudio", "llamafile", "llamacpp", "xinference", "triton"),
        *("sglang", "localai", "oobabooga", "dockermodelrunner", "lemonade"),
    )
)
# How Google's own interface, and Bedrock, spell the names of models.
_GOOGLES = "models"
_BEDROCKS = re.compile(r"(?:[a-z-]{2,8}\.)?(?:ai21|amazon|anthropic|cohere|deepseek|meta|mistral|openai|qwen)\.[a-z]")


def model_of(provider: str, model: str) -> ModelInfo | None:
    """Find a model; None where nobody knows it, and for what people run themselves.

    The provider is a hint: where it is unknown to the data, the model's name alone is looked up, then what stands in
    front of it, as gateways and Bedrock put it.
    """
    if _is_self_hosted(provider) or _is_self_hosted(model.partition("/")[0]):
        return None
    found = (_DATA.model(provider_id, name) for provider_id, name in _spellings(provider, model))
    return next(filter(None, found), None)


class _Data:
    """The library's data. They remember each name that they were asked for, so what remembers is made anew at times."""

    def __init__(self) -> None:
        self._data: DataSnapshot | None = None
        self._asked = 0

    def model(self, provider: str | None, name: str) -> ModelInfo | None:
        """Find a model by its name, of any provider where none is given; None where the data have none such."""
        if self._data is None or self._asked >= _MOST_NAMES:
            self._data, self._asked = DataSnapshot(get_snapshot().providers, from_auto_update=False), 0
        self._asked += 1
        try:
            return self._data.find_provider_model(name, None, provider, None)[1]
        except (LookupError, ValueError):
            return None


_DATA = _Data()


def _is_self_hosted(provider: str) -> bool:
    return "".join(filter(str.isalnum, provider)).lower() in _SELF_HOSTED


def _spellings(provider: str, model: str) -> Iterator[tuple[str | None, str]]:
    """Give what to look for, the likeliest first: a provider of the data, or None for any, and a name."""
    if provider:
        yield _ALIASES.get(provider, provider), model
    yield None, model
    rest = model
    while "/" in rest:
        head, _, rest = rest.partition("/")
        yield _ALIASES.get(head, head), rest
        if head == _GOOGLES:
            yield _ALIASES.get(provider, provider) or None, rest
    if _BEDROCKS.match(rest):
        yield "aws", rest
