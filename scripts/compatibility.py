#!/usr/bin/env python3
"""Writes the endpoint tables of docs/COMPATIBILITY.md from the route tables; --check fails when they are out of date."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
DOCUMENT = ROOT / "docs" / "COMPATIBILITY.md"
BEGIN, END = "<!-- tables: scripts/compatibility.py -->\n", "<!-- end of tables -->\n"


def api_rows():
    text = (ROOT / "src/api/routes.cpp").read_text()
    for method, path, rest in re.findall(r'^\s*\{"([A-Z]+)", "([^"]+)", (.*)\},$', text, re.M):
        yield method, "/api" + path, not rest.rstrip().endswith("nullptr")


def toolbox_rows():
    seen = set()
    for source in sorted((ROOT / "src/toolbox").rglob("*.cpp")):
        if source.stem.endswith("_test"):
            continue
        for method, path in re.findall(r'"(GET|POST|PUT|DELETE|PATCH|\*)",\s*"(/[^"]*)"', source.read_text()):
            seen.add((path, method))
    return [(method, path, True) for path, method in sorted(seen)]


def table(rows):
    rows = list(rows)
    works = [row for row in rows if row[2]]
    missing = [row for row in rows if not row[2]]
    lines = [f"{len(works)} of {len(rows)} are served.", ""]
    if missing:
        lines += ["| works | not yet (501, typed) |", "| --- | --- |"]
        for i in range(max(len(works), len(missing))):
            cells = [f"`{part[i][0]} {part[i][1]}`" if i < len(part) else "" for part in (works, missing)]
            lines.append(f"| {cells[0]} | {cells[1]} |")
    else:
        lines += ["| works |", "| --- |"] + [f"| `{method} {path}` |" for method, path, _ in works]
    return "\n".join(lines) + "\n"


def main():
    text = DOCUMENT.read_text()
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    made = (before + BEGIN + "\n### Control plane\n\n" + table(api_rows()) +
            "\n### Toolbox, below `/toolbox/{sandboxId}`\n\n" + table(toolbox_rows()) + "\n" + END + after)
    if "--check" in sys.argv:
        if made != text:
            sys.exit("docs/COMPATIBILITY.md is out of date: run scripts/compatibility.py")
        print("docs/COMPATIBILITY.md agrees with the route tables")
        return
    DOCUMENT.write_text(made)


if __name__ == "__main__":
    main()
