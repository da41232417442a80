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


# Routes that are there to say why not.
REFUSED = {("/init", "POST"), ("/computeruse/{rest...}", "*")}


def text_of(expression, names):
    """A C++ expression of string literals and named strings, joined by +; None for anything else."""
    parts = []
    for part in expression.split(" + "):
        literal = re.fullmatch(r'"([^"]*)"', part.strip())
        if not literal and part.strip() not in names:
            return None
        parts.append(literal.group(1) if literal else names[part.strip()])
    return "".join(parts)


def toolbox_rows():
    seen = set()
    for source in sorted((ROOT / "src/toolbox").rglob("*.cpp")):
        if source.stem.endswith("_test"):
            continue
        text, names = source.read_text(), {}
        for name, expression in re.findall(r"const std::string (\w+) = ([^;]+);", text):
            if (value := text_of(expression, names)) is not None:
                names[name] = value
        for method, expression in re.findall(r'router\.add\("([A-Z]+|\*)",\s*([^,]+),', text):
            if path := text_of(expression, names):
                seen.add((path, method))
        for method, path in re.findall(r'\{"(GET|POST|PUT|DELETE|PATCH)",\s*"(/[^"]*)"', text):
            seen.add((path, method))
        for path in re.findall(r'\{"(/lsp/[a-z-]+)",', text):
            seen.add((path, "POST"))
    return [(method, path, (path, method) not in REFUSED) for path, method in sorted(seen)]


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
