"""The page as a site: what is on it, its headers, and the folder that is exported."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

import av
import pytest
from browser_session import served

from locoexport.demo.packages import WEB_PACKAGES
from locoexport.demo.sample_clip import sample_clip
from locoexport.demo.server import bind
from locoexport.demo.site import PAGE_HEADERS, Site, SiteClip, SiteModel, assemble_site, write_site
from locoexport.errors import OutputError, UsageError
from locoexport.runtime.video.clips import read_clip

WEB = Path(__file__).parents[2] / "locoexport" / "web"


@pytest.fixture
def site(make_model: Callable[..., Path], tmp_path: Path) -> Site:
    model = make_model("m.onnx")
    package = tmp_path / "ort.mjs"
    package.write_text("export {};")
    clip = tmp_path / "a clip# 1.mp4"
    clip.write_bytes(b"frames")
    found = SiteModel("m.onnx", {"whole": model}, seeded=True)
    shown = SiteClip(clip, "somebody's", 3, ((1.5, 2.0),))
    return assemble_site(found, {"packages/ort/ort.mjs": package}, shown)


def _ask(
    url: str, place: str, method: str = "GET", host: str | None = None
) -> http.client.HTTPResponse:
    """One request as it is written: no client tidies the path or the host name."""
    connection = http.client.HTTPConnection(url.split("/")[2], timeout=30)
    connection.request(method, place, headers={} if host is None else {"Host": host})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer


def test_every_file_comes_with_the_isolation_headers_and_its_type(site: Site) -> None:
    types = {"": "text/html", "page/main.js": "text/javascript", "page/style.css": "text/css"}
    types |= {"engine/model.js": "text/javascript", "licences.txt": "text/plain"}
    types |= {"packages/ort/ort.mjs": "text/javascript", "site.json": "application/json"}
    types |= {"clip/a%20clip%23%201.mp4": "video/mp4", "model/m.onnx": "application/octet-stream"}
    with served(site) as url:
        for place, kind in types.items():
            answer = _ask(url, f"/{place}")
            assert answer.status == 200, place
            assert str(answer.headers["content-type"]).partition(";")[0] == kind, place
            for name, value in PAGE_HEADERS.items():
                assert answer.headers[name] == value


def test_nothing_else_is_answered(site: Site) -> None:
    places = ["nothing", "../pyproject.toml", "%2e%2e/pyproject.toml", "/etc/passwd", "model/"]
    with served(site) as url:
        assert [_ask(url, f"/{place}").status for place in places] == [404] * len(places)


def test_only_reading_is_answered(site: Site) -> None:
    with served(site) as url:
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            assert _ask(url, "/site.json", method).status == 405
        assert _ask(url, "/site.json", "HEAD").status == 200


def test_site_json_says_what_there_is(site: Site) -> None:
    document = json.loads(site.texts["site.json"])
    assert document["schema"] == "locoexport.demo/1"
    expected = {"name": "m.onnx", "seeded": True, "files": {"whole": "model/m.onnx"}}
    assert document["model"] == expected
    assert document["live"] is None
    assert document["clip"] == {
        "name": "a clip# 1.mp4",
        "path": "clip/a%20clip%23%201.mp4",
        "credit": "somebody's",
        "frame": 3,
        "points_yx": [[1.5, 2.0]],
    }
    assert unquote(document["clip"]["path"]) in site.files


def test_a_live_model_lies_beside_the_other_or_alone(
    make_model: Callable[..., Path], tmp_path: Path
) -> None:
    model = make_model("m.onnx")
    parts = {}
    for part in ("encoder", "query", "live"):
        parts[part] = tmp_path / f"a b.{part}.onnx"
        parts[part].write_bytes(part.encode())
    live = SiteModel("a b.live.onnx", parts, seeded=False)
    whole = SiteModel("m.onnx", {"whole": model}, seeded=True)
    for first in (whole, None):
        made = assemble_site(first, {}, None, live)
        document = json.loads(made.texts["site.json"])
        assert (document["model"] is None) == (first is None)
        assert document["live"]["files"]["live"] == "live/a%20b.live.onnx"
        for part, place in document["live"]["files"].items():
            assert made.files[unquote(place)] == parts[part]


def test_an_exported_folder_holds_everything_and_notes_for_hosts(
    site: Site, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    write_site(site, folder)
    places = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert places == {*site.files, *site.texts, "README.txt", "_headers"}
    assert {"index.html", "page/main.js", "page/style.css", "engine/model.js"} <= places
    assert 'href="licences.txt"' in (folder / "index.html").read_text("utf-8")
    licences = (folder / "licences.txt").read_text("utf-8")
    notices = (folder / "onnxruntime-notices.txt").read_text("utf-8")
    for package in WEB_PACKAGES:
        assert f"packages/{package.name}:" in licences
    assert "onnxruntime-notices.txt" in licences
    version = next(each.version for each in WEB_PACKAGES if each.name == "onnxruntime-web")
    assert f"tag v{version}" in licences
    for part in ("protobuf", "Eigen", "emscripten", "flatbuffers", "abseil"):
        assert part.lower() in notices.lower()
    assert "Cross-Origin-Embedder-Policy: require-corp" in (folder / "README.txt").read_text()
    told = (folder / "_headers").read_text() + (folder / "README.txt").read_text()
    for name, value in PAGE_HEADERS.items():
        assert told.count(f"{name}: {value}") == 2
        assert f'add_header {name} "{value}" always;' in told
    with pytest.raises(OutputError, match="exists already"):
        write_site(site, folder)
    with pytest.raises(OutputError, match="does not exist"):
        write_site(site, tmp_path / "no" / "out")


def test_an_export_that_fails_leaves_nothing(site: Site, tmp_path: Path) -> None:
    broken = Site({**site.files, "gone.bin": tmp_path / "gone.bin"}, site.texts)
    with pytest.raises(OutputError):
        write_site(broken, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob(".locoexport-*"))


def test_a_taken_port_is_a_usage_error() -> None:
    with bind("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(UsageError, match=f"127.0.0.1:{port}"):
            bind("127.0.0.1", port)
    with pytest.raises(UsageError, match="Cannot listen on"):
        bind("no.such.host.invalid", 0)


def test_the_clip_of_the_package_is_small_and_its_notice_goes_with_every_page() -> None:
    with sample_clip() as sample:
        clip = read_clip(sample.path)
        assert sample.path.stat().st_size < 1_000_000
        with av.open(str(sample.path)) as container:
            assert "Creative Commons Attribution 3.0" in container.metadata["copyright"]
            assert container.streams.video[0].codec_context.name == "h264"
            assert not container.streams.audio
    assert (clip.frames_rgb.shape, clip.fps) == ((80, 540, 960, 3), 25.0)
    assert 0 <= sample.opening_frame < 80
    assert all(0 < y < 540 and 0 < x < 960 for y, x in sample.example_points_yx)
    assert len(set(sample.example_points_yx)) == len(sample.example_points_yx) > 20
    notices = [WEB / "licences.txt", WEB.parent / "demo" / "big-buck-bunny.txt"]
    for notice in [*notices, WEB.parents[1] / "NOTICE"]:
        text = notice.read_text("utf-8")
        assert "(c) copyright 2008, Blender Foundation / www.bigbuckbunny.org" in text
        assert "https://creativecommons.org/licenses/by/3.0/" in text
    assert sample.credit == "Big Buck Bunny \u00a9 2008 Blender Foundation, CC BY 3.0"


def test_every_module_that_is_imported_is_there() -> None:
    """Without a bundler a missing file is found by users, or here."""
    packages = {
        WEB / "packages" / "onnxruntime-web" / "ort.wasm.min.mjs",
        WEB / "packages" / "mediabunny" / "mediabunny.min.mjs",
    }
    modules = list(WEB.rglob("*.js"))
    assert len(modules) > 20
    for module in modules:
        text = module.read_text(encoding="utf-8")
        for target in re.findall(r'(?:from|import|new URL)\(? ?"([^"]+)"', text):
            path = (module.parent / target).resolve()
            assert path in packages or path.is_file(), f"{module.name}: {target}"


def test_the_page_may_speak_to_its_own_server_alone() -> None:
    text = (WEB / "index.html").read_text(encoding="utf-8")
    policy = re.search(r'content="(default-src[^"]+)"', text)
    assert policy is not None
    assert "default-src 'none'" in policy[1]
    assert "connect-src 'self'" in policy[1]
    # The server's own says the same, and what a meta element cannot say.
    sent = PAGE_HEADERS["Content-Security-Policy"]
    assert sent == f"{policy[1]}; frame-ancestors 'none'"
    for file in WEB.rglob("*"):
        if file.suffix in {".html", ".css", ".js"}:
            assert not re.search(r"(src|href|url\()=?[\"'(]?https?:", file.read_text("utf-8"))
