"""Weights from a server on this machine: cache, resuming, checksums, and what goes wrong."""

import hashlib
import socket
import tarfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
import torch
from loopback import COMMIT, Served, serving

from locoexport.errors import CheckpointError, UnreachableError, UsageError
from locoexport.notices import Notice
from locoexport.pipeline.weights.hub_file import (
    HubFile,
    HubRepository,
    parse_hub_file,
    parse_hub_repository,
)
from locoexport.pipeline.weights.sources import find_checkpoint, find_downloaded


def checkpoint_of(value: int, size: int = 1 << 20) -> bytes:
    """A file that torch reads, with one tensor."""
    file = BytesIO()
    torch.save({"state_dict": {"w": torch.full((size,), value, dtype=torch.uint8)}}, file)
    return file.getvalue()


DATA = checkpoint_of(7)  # a little over 1 MiB
SHA256 = hashlib.sha256(DATA).hexdigest()
REPO = "/yunpengZhangup/locotrack-EfficientNet"


@pytest.fixture(autouse=True)
def caches(tmp_path: Path, monkeypatch) -> Path:
    """Both caches in a folder of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path


@pytest.fixture
def server() -> Iterator[Served]:
    files = {"/weights/b0.ckpt": DATA, f"{REPO}/resolve/main/b0.ckpt": DATA}
    files |= {f"{REPO}/resolve/{COMMIT}/b0.ckpt": DATA}
    with serving(files) as served:
        yield served


class Told(list):
    """Notices as texts."""

    def __call__(self, notice: Notice) -> None:
        self.append(notice.text)


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_file_stays_a_file() -> None:
    assert find_checkpoint("weights/b0.ckpt") == Path("weights/b0.ckpt")
    assert find_checkpoint(Path("b0.ckpt")) == Path("b0.ckpt")


def test_a_url_is_downloaded_once(server: Served, caches: Path) -> None:
    told = Told()
    path = find_checkpoint(f"{server.url}/weights/b0.ckpt", told)
    assert path.read_bytes() == DATA
    assert path.name == "b0.ckpt"
    assert path.is_relative_to(caches / "cache")
    assert any(f"b0.ckpt: sha256 {SHA256}" in text for text in told)
    assert "downloading b0.ckpt (bytes)" in told
    assert len(server.requests) == 1
    assert find_checkpoint(f"{server.url}/weights/b0.ckpt") == path
    assert len(server.requests) == 1
    assert [file.name for file in path.parent.iterdir()] == ["b0.ckpt"]


def test_an_interrupted_download_goes_on(server: Served) -> None:
    server.break_after = 300_000
    url = f"{server.url}/weights/b0.ckpt"
    with pytest.raises(UnreachableError, match=r"300000 bytes are kept; run the command again"):
        find_checkpoint(url)
    told = Told()
    assert find_checkpoint(url, told).read_bytes() == DATA
    assert [request[2] for request in server.requests] == [None, "bytes=300000-"]
    assert "resuming b0.ckpt after 300000 bytes" in told


def test_a_file_that_changed_meanwhile_begins_anew(server: Served) -> None:
    server.break_after = 300_000
    url = f"{server.url}/weights/b0.ckpt"
    with pytest.raises(UnreachableError):
        find_checkpoint(url)
    other = checkpoint_of(8)
    server.files["/weights/b0.ckpt"] = other
    assert find_checkpoint(url).read_bytes() == other


def test_without_a_validator_nothing_is_pieced_together(server: Served) -> None:
    server.validators, server.break_after = False, 300_000
    url = f"{server.url}/weights/b0.ckpt"
    with pytest.raises(UnreachableError):
        find_checkpoint(url)
    assert find_checkpoint(url).read_bytes() == DATA
    assert [request[2] for request in server.requests] == [None, None]


def test_a_shorter_file_than_what_is_kept(server: Served) -> None:
    server.break_after = 300_000
    url = f"{server.url}/weights/b0.ckpt"
    with pytest.raises(UnreachableError):
        find_checkpoint(url)
    other = checkpoint_of(8, 10)
    server.files["/weights/b0.ckpt"] = other
    assert find_checkpoint(url).read_bytes() == other


def test_bytes_are_checked_where_a_digest_is_given(server: Served) -> None:
    url = f"{server.url}/weights/b0.ckpt"
    with pytest.raises(CheckpointError, match="is not what was expected: its SHA-256 is not 0000"):
        find_checkpoint(f"{url}#sha256={'0' * 64}")
    path = find_checkpoint(f"{url}#sha256={SHA256.upper()}")
    assert path.read_bytes() == DATA
    # A file in the cache that is another one now is downloaded again.
    path.write_bytes(b"damaged")
    assert find_checkpoint(f"{url}#sha256={SHA256}").read_bytes() == DATA


def test_what_a_server_does_not_have(server: Served) -> None:
    with pytest.raises(CheckpointError, match=r"b9\.ckpt cannot be downloaded: the server answers"):
        find_checkpoint(f"{server.url}/weights/b9.ckpt")


def test_offline_is_the_machines_fault(caches: Path) -> None:
    with pytest.raises(
        UnreachableError, match=r"cannot be downloaded: .*pass --checkpoint FILE"
    ) as e:
        find_checkpoint(f"http://127.0.0.1:{closed_port()}/b0.ckpt")
    assert e.value.exit_code == 3


@pytest.mark.parametrize("name", ["b0.pt", "b0.safetensors", "b0.ckpt", "b0.onnx"])
def test_a_page_that_asks_for_a_login_is_no_checkpoint(
    server: Served, caches: Path, name: str
) -> None:
    server.files[f"/{name}"] = b"<html>login</html>"
    for _ in range(2):
        with pytest.raises(CheckpointError, match=r"was not kept: .*begins with '<html>login") as e:
            find_checkpoint(f"{server.url}/{name}")
        assert "part-" not in str(e.value)
    assert len(server.requests) == 2
    assert not [path for path in (caches / "cache").rglob("*") if path.name.endswith(name)]


def test_no_secret_of_a_url_is_told_or_kept(server: Served, caches: Path) -> None:
    told = Told()
    url = server.url.replace("://", "://user:SECRET@")
    server.files["/weights/b0.ckpt?token=SECRET"] = DATA
    path = find_checkpoint(f"{url}/weights/b0.ckpt?token=SECRET", told)
    assert path.name == "b0.ckpt"
    assert "SECRET" not in "".join(told) + str(path)
    assert not any("SECRET" in str(found) for found in caches.rglob("*"))


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (
            "ftp://user:SECRET@example.org/b0.ckpt",
            r"ftp://…@example\.org/b0\.ckpt: expected a file",
        ),
        ("https://user:SECRET@[::1/b0.ckpt", "its host or port cannot be read"),
        ("https://a..b/b0.ckpt", "names no host"),
        ("https://☃.test/b0.ckpt", "names no host"),
        ("https://example.org/b0.ckpt?token=SECRET#md5=1", "only sha256= and 64 hex digits"),
        ("http://127.0.0.1:80@192.0.2.1/x.pt", "weights are not taken over http"),
        ("HTTP://example.org/x.pt", "weights are not taken over http"),
    ],
)
def test_sources_that_hide_something(source: str, says: str) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        find_checkpoint(source)
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize(
    "source",
    [
        "hf://a/b/../../x",
        "hf://../../x.pt",
        "hf://a/b@../../x/f.pt",
        "hf://a/b@../f.pt",
        "hf://a/b/%2e%2e/x.pt",
        "hf://a/b/..%2fx.pt",
        "hf://a/b/%00.pt",
        "hf://a/b/c%5cd.pt",
        "hf://a/b//c.pt",
        "hf://a/b--c/d.pt",
        "hf://a/.b/d.pt",
        "hf://a/b./d.pt",
        "hf://a/b@v%0a1\n/d.pt",
        "hf://a/b/" + "c" * 300,
        "hf://" + "a" * 97 + "/b/c.pt",
        "hf://é/b/c.pt",
        "hf://a/b/\ud800.pt",
    ],
)
def test_names_that_the_hub_does_not_take(source: str) -> None:
    with pytest.raises(UsageError, match="is not hf://OWNER/REPO/FILE") as caught:
        find_checkpoint(source)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("ftp://example.org/b0.ckpt", "expected a file, hf://OWNER/REPO/FILE or https"),
        ("http://example.org/b0.ckpt", "weights are not taken over http"),
        ("https://example.org/", "the URL names no file"),
        ("https://example.org/..", "the URL names no file"),
        ("https://example.org/a%2Fb.ckpt", "the URL names no file"),
        ("https://example.org/b0.ckpt#md5=1", "only sha256= and 64 hex digits"),
        ("hf://b0.ckpt", "is not hf://OWNER/REPO/FILE"),
        ("hf://owner/repo", "is not hf://OWNER/REPO/FILE"),
        ("hf://owner/repo@/b0.ckpt", "is not hf://OWNER/REPO/FILE"),
    ],
)
def test_sources_of_no_such_form(source: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        find_checkpoint(source)


@pytest.mark.parametrize(
    ("text", "repository", "file"),
    [
        ("hf://a/b.c/d/e.ckpt", HubRepository("a/b.c"), "d/e.ckpt"),
        ("hf://a/b@v1/e.ckpt", HubRepository("a/b", "v1"), "e.ckpt"),
        ("hf://datasets/a/b/e.ckpt", HubRepository("a/b", type="dataset"), "e.ckpt"),
        ("hf://datasets/a/b@v1/d/e.ckpt", HubRepository("a/b", "v1", "dataset"), "d/e.ckpt"),
        # As in huggingface_hub, the first word is a type and no owner, and models/ is one.
        ("hf://models/a/b/e.ckpt", HubRepository("a/b"), "e.ckpt"),
        ("hf://datasets/datasets/b/e.ckpt", HubRepository("datasets/b", type="dataset"), "e.ckpt"),
        ("hf://a/datasets/e.ckpt", HubRepository("a/datasets"), "e.ckpt"),
        ("hf://Datasets/b/e.ckpt", HubRepository("Datasets/b"), "e.ckpt"),
        ("hf://a/b/c%20d%25.ckpt", HubRepository("a/b"), "c d%.ckpt"),
    ],
)
def test_what_a_hub_address_says(text: str, repository: HubRepository, file: str) -> None:
    wanted = parse_hub_file(text)
    assert wanted == HubFile(repository, file)
    assert parse_hub_file(wanted.address) == wanted
    assert wanted.address == text.replace("models/", "")
    assert parse_hub_repository(text) is None
    assert parse_hub_repository(repository.address) == repository


def test_what_hugging_face_itself_reads_in_it() -> None:
    from huggingface_hub.utils._hf_uris import parse_hf_uri

    for text in ("hf://datasets/a/b@v1/d/e.ckpt", "hf://models/a/b/e.ckpt", "hf://a/b@v1/e.ckpt"):
        ours, theirs = parse_hub_file(text), parse_hf_uri(text)
        assert (ours.repository.name, ours.file) == (theirs.id, theirs.path_in_repo)
        assert (ours.repository.type, ours.repository.revision) == (theirs.type, theirs.revision)


@pytest.mark.parametrize("kind", ["spaces", "kernels", "buckets"])
def test_what_is_no_place_for_weights(kind: str) -> None:
    with pytest.raises(UsageError, match=rf"weights are not taken from {kind}; expected a file of"):
        find_checkpoint(f"hf://{kind}/hamacojr/LocoTrack/weights/locotrack_base.ckpt")


def test_a_file_of_a_data_set(server: Served, caches: Path) -> None:
    files = {"/datasets/hamacojr/weights/resolve/main/small.ckpt": DATA}
    server.files = files
    source = "hf://datasets/hamacojr/weights/small.ckpt"
    path = find_checkpoint(source, endpoint=server.url)
    assert path.read_bytes() == DATA
    assert "datasets--hamacojr--weights" in path.parts
    with pytest.raises(CheckpointError, match=r"hf://datasets/hamacojr/weights holds no file 'b"):
        find_checkpoint("hf://datasets/hamacojr/weights/base.ckpt", endpoint=server.url)
    # A model of that name is another repository.
    with pytest.raises(CheckpointError, match="There is no repository hf://hamacojr/weights, or"):
        find_checkpoint("hf://hamacojr/weights/small.ckpt", endpoint=server.url)


def test_a_repository_whose_terms_are_to_be_accepted(server: Served) -> None:
    server.gated.add(REPO)
    with pytest.raises(CheckpointError, match="only to accounts that accepted its terms: hf auth"):
        find_checkpoint(f"hf:/{REPO}/b0.ckpt", endpoint=server.url)


def test_what_was_downloaded_is_found_again(server: Served) -> None:
    assert find_downloaded("b0.ckpt", SHA256) is None
    of_hub = find_checkpoint(f"hf:/{REPO}/b0.ckpt", endpoint=server.url)
    assert find_downloaded("b0.ckpt", SHA256) == of_hub
    of_web = find_checkpoint(f"{server.url}/weights/b0.ckpt")
    assert find_downloaded("b0.ckpt", SHA256) == of_web
    assert find_downloaded("b1.ckpt", SHA256) is None
    assert find_downloaded("b0.ckpt", "0" * 64) is None
    # What was changed in the cache is not what was asked for.
    of_web.write_bytes(b"changed")
    assert find_downloaded("b0.ckpt", SHA256) == of_hub


def test_a_file_of_the_hub(server: Served, caches: Path) -> None:
    told = Told()
    source = "hf://yunpengZhangup/locotrack-EfficientNet/b0.ckpt"
    path = find_checkpoint(source, told, endpoint=server.url)
    assert path.read_bytes() == DATA
    assert path.name == "b0.ckpt"
    assert path.is_relative_to(caches / "hub")
    assert any(f"sha256 {SHA256}" in text for text in told)
    assert "downloading b0.ckpt (bytes)" in told
    gets = [request for request in server.requests if request[0] == "GET"]
    assert find_checkpoint(source, endpoint=server.url) == path
    assert [request for request in server.requests if request[0] == "GET"] == gets
    pinned = f"hf://yunpengZhangup/locotrack-EfficientNet@{COMMIT}/b0.ckpt"
    assert find_checkpoint(pinned, endpoint=server.url).read_bytes() == DATA


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("hf://nobody/nothing/b0.ckpt", "There is no repository hf://nobody/nothing"),
        (f"hf:/{REPO}/b9.ckpt", r"holds no file 'b9\.ckpt'"),
        (f"hf:/{REPO}@v9/b0.ckpt", "there is no revision 'v9'"),
    ],
)
def test_what_the_hub_does_not_have(source: str, says: str, server: Served) -> None:
    with pytest.raises(CheckpointError, match=says):
        find_checkpoint(source, endpoint=server.url)


def test_a_file_of_the_hub_over_the_limit(server: Served, monkeypatch) -> None:
    monkeypatch.setenv("LOCOEXPORT_MAX_DOWNLOAD_BYTES", "1000")
    with pytest.raises(CheckpointError, match="LOCOEXPORT_MAX_DOWNLOAD_BYTES"):
        find_checkpoint(f"hf:/{REPO}/b0.ckpt", endpoint=server.url)


def test_the_hub_offline(server: Served, monkeypatch) -> None:
    # huggingface_hub would wait longer and longer between its attempts.
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", pytest.fail)
    source = f"hf:/{REPO}/b0.ckpt"
    nowhere = f"http://127.0.0.1:{closed_port()}"
    with pytest.raises(UnreachableError, match="cannot be reached, and the file is not in") as e:
        find_checkpoint(source, endpoint=nowhere)
    assert e.value.exit_code == 3
    # What was downloaded before is there offline as well.
    path = find_checkpoint(source, endpoint=server.url)
    assert find_checkpoint(source, endpoint=nowhere) == path


@pytest.mark.parametrize(
    "form", ["::locotrack_small", "::locotrack_small#SHA", "#SHA::locotrack_small"]
)
def test_a_member_of_a_tar_at_a_url(form: str, server: Served) -> None:
    tar = _tar_of({"w/locotrack_small/checkpoint.npy": b"any bytes"})
    server.files["/weights/w.tar"] = tar
    form = form.replace("SHA", f"sha256={hashlib.sha256(tar).hexdigest()}")
    found = find_checkpoint(f"{server.url}/weights/w.tar{form}")
    assert found.name == "w.tar::locotrack_small"
    assert found.with_name("w.tar").read_bytes() == tar


def test_an_address_with_colons_is_no_member() -> None:
    with pytest.raises(UsageError, match="only sha256="):
        find_checkpoint("http://[::1]:8000/b0.tar#nonsense")


def _tar_of(members: dict[str, bytes]) -> bytes:
    file = BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, BytesIO(data))
    return file.getvalue()
