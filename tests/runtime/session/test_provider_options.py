import pytest

from locoexport.errors import UsageError
from locoexport.runtime.session.provider_options import OPTIONS, parse_provider, provider_name
from locoexport.runtime.session.providers import PROVIDERS, resolve_provider


def test_every_provider_has_its_options() -> None:
    assert list(OPTIONS) == list(PROVIDERS)


def test_defaults_are_ours() -> None:
    assert parse_provider("cuda").options == {"use_tf32": "0"}
    assert parse_provider("openvino").options == {"device": "CPU", "precision": "f32"}
    assert parse_provider("cpu").options == {}


def test_given_options_replace_defaults() -> None:
    choice = parse_provider("openvino:device=AUTO:GPU,CPU,precision=f16")
    assert choice.name == "openvino"
    assert choice.options == {"device": "AUTO:GPU,CPU", "precision": "f16"}
    assert provider_name("cuda:device_id=1") == "cuda"
    assert resolve_provider("cuda:device_id=1") == "CUDAExecutionProvider"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("gpu", "There is no provider 'gpu'; the providers are cpu, cuda"),
        ("cpu:threads=2", "The provider cpu has no option 'threads'; it has none"),
        ("cuda:device=1", "has no option 'device'; it has device_id"),
        ("cuda:device_id", "device_id needs a value, as in cuda:device_id=VALUE"),
        ("cuda:device_id=", "device_id needs a value"),
    ],
)
def test_wrong_options_are_wrong_use(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        parse_provider(text)
