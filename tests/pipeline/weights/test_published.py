"""Weights that a profile names, from a stand-in for Hugging Face on this machine."""

import socket
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from http.server import BaseHTTPRequestHandler
from io import BytesIO
from pathlib import Path

import pytest
import torch
from loopback import COMMIT, Served, serving

from locoexport.contract.profile import ExportProfile, load_profile
from locoexport.contract.published_weights import PublishedFacts
from locoexport.errors import CheckpointError, UnreachableError, UsageError
from locoexport.models import locotrack
from locoexport.notices import Notice
from locoexport.pipeline.weights.published import find_weights

REPO = "yunpengZhangup/locotrack-EfficientNet"
AT = f"hf://{REPO}"


@cache
def weights_of(variant: str, value: float = 0.0) -> bytes:
    """A state dict of that variant's names and shapes in float16."""
    with torch.device("meta"):
        shapes = locotrack.LocoTrack(locotrack.VARIANTS[variant]).state_dict()
    state = {
        name: torch.full(tensor.shape, value, dtype=torch.float16)
        if tensor.is_floating_point()
        else torch.zeros(tensor.shape, dtype=tensor.dtype)
        for name, tensor in shapes.items()
    }
    file = BytesIO()
    torch.save({"state_dict": state}, file)
    return file.getvalue()


@pytest.fixture(autouse=True)
def caches(tmp_path: Path, monkeypatch) -> Path:
    """Both caches in a folder of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path


@pytest.fixture
def server() -> Iterator[Served]:
    with serving({}) as served:
        yield served


def put(server: Served, files: Mapping[str, bytes], repo: str = REPO) -> None:
    for name, data in files.items():
        server.files[f"/{repo}/resolve/main/{name}"] = data


class Told(list):
    def __call__(self, notice: Notice) -> None:
        self.append(notice)

    @property
    def warnings(self) -> list[str]:
        return [notice.text for notice in self if notice.warning]


@pytest.mark.parametrize("name", ["resnet-small", "resnet-base"])
def test_the_authors_files_lie_in_a_data_set(server: Served, name: str) -> None:
    size = name.removeprefix("resnet-")
    place = "/datasets/hamacojr/LocoTrack-pytorch-weights/resolve/main"
    server.files = {f"{place}/locotrack_{size}.ckpt": b"weights"}
    path = find_weights("published", load_profile(name), endpoint=server.url)
    assert (path.name, path.read_bytes()) == (f"locotrack_{size}.ckpt", b"weights")


def test_no_secret_of_an_address_is_told(server: Served) -> None:
    address = f"{server.url}/b0.pt?token=SECRET".replace("://", "://me:SECRET@")
    server.files["/b0.pt?token=SECRET"] = weights_of("b0-tiny")
    told = Told()
    find_weights("published", naming(address), told)
    assert told[0].text.startswith("the weights that profile b0 names: http://…@127.0.0.1")
    assert "SECRET" not in " ".join(notice.text for notice in told)


def test_other_sources_are_as_ever(server: Served) -> None:
    assert find_weights("b0.ckpt", load_profile("b0")) == Path("b0.ckpt")
    assert find_weights("./published", load_profile("b0")) == Path("published")
    put(server, {"b5.ckpt": b"weights"})
    path = find_weights(f"{AT}/b5.ckpt", load_profile("b0"), endpoint=server.url)
    assert path.read_bytes() == b"weights"


def test_a_profile_without_any_says_what_there_is() -> None:
    with pytest.raises(UsageError) as caught:
        find_weights("published", load_profile("b0-tiny"))
    assert str(caught.value) == (
        "Profile b0-tiny names no published weights. The package ships b0-tiny.safetensors for it, "
        "which is taken where --checkpoint is left out. Published weights are known of b0, b0-384, "
        "b0-mlp, b0-proj-base, b0-proj-small, b0-wide, b2, b5, effnet256, resnet-base, "
        "resnet-small (locoexport profiles)."
    )
    bare = replace(load_profile("b0"), name="mine", published_weights=None)
    with pytest.raises(UsageError, match=r"Pass --checkpoint FILE .* ships weights for b0-tiny\."):
        find_weights("published", bare)


def test_the_file_with_the_variants_name_is_taken_and_no_other_fetched(server: Served) -> None:
    put(server, {"README.md": b"# weights", "b0.ckpt": weights_of("b0"), "b5.ckpt": b"untouched"})
    put(server, {"b0-384.ckpt": weights_of("b0", 1.0)})
    told = Told()
    path = find_weights("published", load_profile("b0"), told, endpoint=server.url)
    assert path.read_bytes() == weights_of("b0")
    assert server.downloads == ["b0.ckpt"]
    assert told.warnings == [
        f"Using {AT}/b0.ckpt: it is named after b0, and its state dict is that of b0. To choose it "
        f"yourself: --checkpoint {AT}/b0.ckpt"
    ]
    # One network at two resolutions: the names tell which file is meant.
    other = find_weights("published", load_profile("b0-384"), endpoint=server.url)
    assert other.read_bytes() == weights_of("b0", 1.0)


def test_a_name_that_its_authors_gave_it(server: Served) -> None:
    files = {"small_efficentnet_b0_16_40_112.ckpt": weights_of("b0-wide"), "z.ckpt": b"untouched"}
    put(server, files)
    find_weights("published", load_profile("b0-wide"), endpoint=server.url)
    assert server.downloads == ["small_efficentnet_b0_16_40_112.ckpt"]


def test_a_name_that_holds_the_variants(server: Served) -> None:
    put(server, {"runs/b0/epoch_7.pt": weights_of("b0"), "b2_epoch_9.pt": b"untouched"})
    told = Told()
    path = find_weights("published", load_profile("b0"), told, endpoint=server.url)
    assert path.read_bytes() == weights_of("b0")
    assert server.downloads == ["epoch_7.pt"]
    assert "b0 is in its name, and its state dict is that of b0." in told.warnings[0]


def test_the_state_dict_tells_and_not_the_name(server: Served) -> None:
    put(server, {"b0.ckpt": weights_of("b0-wide"), "last.ckpt": weights_of("b0")})
    put(server, {"junk.pt": b"<html>" * 2_000_000, "tiny.ckpt": weights_of("b0-tiny")})
    told = Told()
    path = find_weights("published", load_profile("b0"), told, endpoint=server.url)
    assert path.read_bytes() == weights_of("b0")
    # What is too small to hold the variant is not fetched.
    assert server.downloads == ["b0.ckpt", "last.ckpt", "junk.pt"]
    assert "no file named after b0 holds it, and of 3 others only this one" in told.warnings[0]


def test_several_that_fit_are_named(server: Served) -> None:
    put(server, {"a/one.ckpt": weights_of("b0"), "b/two of.pt": weights_of("b0", 1.0)})
    with pytest.raises(UsageError) as caught:
        find_weights("published", load_profile("b0"), endpoint=server.url)
    assert caught.value.exit_code == 2
    assert str(caught.value).endswith(
        f"Pass one of them: --checkpoint {AT}/a/one.ckpt or --checkpoint {AT}/b/two%20of.pt"
    )
    chosen = f"{AT}/b/two%20of.pt"
    path = find_weights(chosen, load_profile("b0"), endpoint=server.url)
    assert path.read_bytes() == weights_of("b0", 1.0)


def test_none_that_fits(server: Served) -> None:
    put(server, {"b0.ckpt": weights_of("b0-wide"), "tiny.ckpt": weights_of("b0-tiny")})
    put(server, {"other.pt": b"<html>" * 2_000_000})
    with pytest.raises(CheckpointError) as caught:
        find_weights("published", load_profile("b0"), endpoint=server.url)
    assert caught.value.exit_code == 2
    assert str(caught.value) == (
        f"{AT} holds no weights of b0: b0.ckpt (b0-wide weights); tiny.ckpt (too small); other.pt "
        "(no checkpoint that can be read). Pass --checkpoint FILE, or export the variant that is "
        "there."
    )


def test_a_repository_without_checkpoints(server: Served) -> None:
    put(server, {"README.md": b"soon", "../b0.ckpt": b"elsewhere"})
    with pytest.raises(CheckpointError, match=r"holds no checkpoint .* It holds 'README\.md', "):
        find_weights("published", load_profile("b0"), endpoint=server.url)
    assert server.downloads == []


@pytest.mark.parametrize("name", ["epoch-{}.ckpt", "b0-epoch-{}.ckpt", "{}/b0.ckpt"])
def test_files_are_not_fetched_by_the_dozen(server: Served, name: str) -> None:
    put(server, {name.format(number): weights_of("b0") for number in range(17)})
    first = name.format(0)
    says = rf"17 files in {AT} may hold weights of b0, too many .* --checkpoint {AT}/{first}, "
    with pytest.raises(UsageError, match=says):
        find_weights("published", load_profile("b0"), endpoint=server.url)
    assert server.downloads == []


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b"<html>", "cannot be listed: "),
        (
            b'{"id": "a/b", "siblings": [{"rfilename": 1}, {"rfilename": "a.pt", "size": "1"}]}',
            "a.pt",
        ),
        (b'{"id": "a/b"}', "It holds nothing"),
        (b"[]", "cannot be listed: "),
    ],
)
def test_a_server_that_lists_no_files(server: Served, answer: bytes, says: str) -> None:
    def tell(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(answer)))
        handler.end_headers()
        handler.wfile.write(answer)

    server.scripts[f"/api/models/{REPO}?blobs=true"] = tell
    put(server, {"b0.ckpt": weights_of("b0")})
    with pytest.raises((UnreachableError, CheckpointError), match=says):
        find_weights("published", load_profile("b0"), endpoint=server.url)
    assert server.requests[-1][1].startswith(("/api/", f"/{REPO}/resolve/main/a.pt"))


def test_a_repository_with_more_files_than_are_looked_at(server: Served, monkeypatch) -> None:
    monkeypatch.setenv("LOCOEXPORT_MAX_HUB_FILES", "1")
    put(server, {"README.md": b"", "b0.ckpt": weights_of("b0")})
    with pytest.raises(CheckpointError, match="set LOCOEXPORT_MAX_HUB_FILES=2"):
        find_weights("published", load_profile("b0"), endpoint=server.url)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("hf://nobody/nothing", "There is no repository hf://nobody/nothing, or it is private"),
        (f"{AT}@v9", "there is no revision 'v9'"),
        ("hf://datasets/nobody/nothing", "There is no repository hf://datasets/nobody/nothing"),
    ],
)
def test_a_repository_that_is_not_there(server: Served, source: str, says: str) -> None:
    put(server, {"b0.ckpt": weights_of("b0")})
    with pytest.raises(CheckpointError, match=says):
        find_weights("published", naming(source), endpoint=server.url)


def test_a_pinned_repository_of_data(server: Served) -> None:
    server.files = {f"/datasets/me/mine/resolve/{COMMIT}/b0.ckpt": weights_of("b0")}
    source = f"hf://datasets/me/mine@{COMMIT}"
    path = find_weights("published", naming(source), endpoint=server.url)
    assert path.read_bytes() == weights_of("b0")


def test_a_repository_that_wants_its_terms_accepted(server: Served) -> None:
    put(server, {"b0.ckpt": weights_of("b0")})
    server.gated.add(f"/{REPO}")
    with pytest.raises(CheckpointError, match="only to accounts that accepted its terms: hf auth"):
        find_weights("published", load_profile("b0"), endpoint=server.url)


def test_offline_nothing_can_be_chosen(monkeypatch) -> None:
    # huggingface_hub would wait longer and longer between its attempts.
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", pytest.fail)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(UnreachableError, match=rf"Offline, pass .* or {AT}/FILE for one") as caught:
        find_weights("published", load_profile("b0"), endpoint=f"http://127.0.0.1:{port}")
    assert caught.value.exit_code == 3


def test_a_profile_of_ones_own_may_give_names(server: Served) -> None:
    put(server, {"run7.ckpt": weights_of("b0"), "x.ckpt": b"untouched"})
    mine = replace(naming(AT), published=PublishedFacts(aliases=("run7",)), cost=None)
    assert find_weights("published", mine, endpoint=server.url).name == "run7.ckpt"
    assert server.downloads == ["run7.ckpt"]


def naming(source: str) -> ExportProfile:
    return replace(load_profile("b0"), published_weights=source)
