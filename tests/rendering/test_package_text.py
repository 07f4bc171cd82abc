"""What was packaged: sizes in the unit that fits, and what to run next."""

from pathlib import Path

from locoexport.cli.terminal import console
from locoexport.pipeline.package import PackageReport
from locoexport.rendering.package import package_document, package_text


def packaged(folder: Path, start: tuple[str, ...]) -> PackageReport:
    files = (folder / "m/1/model.onnx", folder / "m/config.pbtxt", folder / "README-m.md")
    for path, size_bytes in zip(files, (6_541_780, 988, 2_234), strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"\0" * size_bytes)
    return PackageReport(folder, Path("m.onnx"), "m", ("m",), files, False, start=start)


def test_sizes_fit_and_the_server_can_be_started(tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    start = ("docker run --rm --gpus all --shm-size=1g -p 8000:8000 -p 8001:8001 \\", "    server")
    found = packaged(tmp_path / "a folder", start)
    console.print_result(package_text(found))
    lines = capsys.readouterr().out.splitlines()
    rows = {line.split()[0]: line.split()[1:] for line in lines if line.startswith(("m/", "READ"))}
    assert rows == {
        "m/1/model.onnx": ["6.5", "MB"],
        "m/config.pbtxt": ["988", "B"],
        "README-m.md": ["2.2", "KB"],
    }
    # As a shell takes it, whatever the width.
    at = lines.index("Start the server:")
    assert lines[at + 2 : at + 5] == [
        f"    cd '{tmp_path / 'a folder'}'",
        *(f"    {line}" for line in start),
    ]
    assert package_document(found)["start_command"] == "\n".join(start)


def test_without_a_command_none_is_shown(tmp_path, capsys) -> None:
    found = packaged(tmp_path, ())
    console.print_result(package_text(found))
    assert "Start" not in capsys.readouterr().out
    assert package_document(found)["start_command"] is None
