#include "api/openapi.h"

namespace sebring::api {

// Everything that the document says is put in as text, never as markup.
std::string api_page() {
  return R"html(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>sebring API</title>
<style>
:root { color-scheme: light dark; --line: #8884; --soft: #8881; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 60rem; padding: 1.5rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
input { font: inherit; padding: .4rem .6rem; width: 100%; box-sizing: border-box; border: 1px solid var(--line); border-radius: 6px; }
details { border: 1px solid var(--line); border-radius: 6px; margin: .3rem 0; }
summary { cursor: pointer; padding: .4rem .6rem; display: flex; gap: .7rem; align-items: baseline; }
details > div { padding: .3rem .9rem .8rem; border-top: 1px solid var(--line); }
code, pre { font: 13px/1.45 ui-monospace, monospace; }
pre { background: var(--soft); padding: .6rem; border-radius: 6px; overflow: auto; margin: .3rem 0; }
.method { font: 600 12px ui-monospace, monospace; min-width: 3.8rem; }
.off { opacity: .55; } .note { opacity: .75; } .row { display: flex; gap: .5rem; margin: .3rem 0; }
button { font: inherit; padding: .25rem .8rem; }
</style>
</head>
<body>
<h1>sebring API</h1>
<p class="note">The document itself is at <a href="/api-json">/api-json</a>. A key typed here stays in this page.</p>
<p class="row"><input id="key" type="password" placeholder="API key, to try calls" autocomplete="off"></p>
<p class="row"><input id="search" type="search" placeholder="Search"></p>
<main id="main"></main>
<script>
"use strict";
const make = (tag, text, cls) => {
  const node = document.createElement(tag);
  if (text !== undefined) node.textContent = text;
  if (cls) node.className = cls;
  return node;
};
const nameOf = (schema) => {
  if (!schema) return "";
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.type === "array") return nameOf(schema.items) + "[]";
  if (schema.anyOf) return schema.anyOf.map(nameOf).join(" or ");
  return Array.isArray(schema.type) ? schema.type.join(" or ") : (schema.format || schema.type || "");
};
const fieldsOf = (doc, name) => {
  const schema = doc.components.schemas[name.replace("[]", "")];
  if (!schema) return name;
  if (schema.enum) return schema.enum.join(" | ");
  const required = new Set(schema.required || []);
  return Object.entries(schema.properties || {})
    .map(([field, type]) => field + (required.has(field) ? "" : "?") + ": " + nameOf(type)).join("\n");
};
const schemaIn = (holder) => holder && holder.content && holder.content["application/json"].schema;
const tryIt = (method, path, operation, box) => {
  const inputs = {};
  for (const parameter of operation.parameters) {
    const input = make("input");
    input.placeholder = parameter.name + " (" + parameter.in + ")";
    inputs[parameter.name] = [parameter, input];
    box.append(input);
  }
  const body = operation.requestBody ? make("textarea") : null;
  if (body) { body.placeholder = "{ }"; body.style.width = "100%"; box.append(body); }
  const button = make("button", "Send");
  const answer = make("pre", "");
  button.onclick = async () => {
    let url = path;
    const query = new URLSearchParams();
    for (const [parameter, input] of Object.values(inputs)) {
      if (parameter.in === "path") url = url.replace("{" + parameter.name + "}", encodeURIComponent(input.value));
      else if (input.value) query.append(parameter.name, input.value);
    }
    const headers = { Authorization: "Bearer " + document.getElementById("key").value };
    if (body) headers["Content-Type"] = "application/json";
    const response = await fetch(url + (query.size ? "?" + query : ""),
      { method, headers, body: body ? body.value || "{}" : undefined });
    let text = await response.text();
    try { text = JSON.stringify(JSON.parse(text), null, 2); } catch { /* not JSON */ }
    answer.textContent = response.status + " " + response.statusText + "\n" + text;
  };
  box.append(button, answer);
};
const show = (doc, path, method, operation) => {
  const node = make("details");
  const line = make("summary");
  const missing = "501" in operation.responses;
  line.append(make("span", method.toUpperCase(), "method"), make("code", path), make("span", operation.summary, "note"));
  if (missing) node.classList.add("off");
  const box = make("div");
  node.append(line, box);
  node.addEventListener("toggle", () => {
    if (!node.open || box.hasChildNodes()) return;
    if (operation["x-permission"]) box.append(make("p", "Needs " + operation["x-permission"].split("|").join(" or "), "note"));
    const body = nameOf(schemaIn(operation.requestBody));
    if (body) box.append(make("div", "Body: " + body), make("pre", fieldsOf(doc, body)));
    for (const [status, response] of Object.entries(operation.responses)) {
      const name = nameOf(schemaIn(response));
      if (status === "default" || status === "501") continue;
      box.append(make("div", status + " " + name));
      if (name && name[0] === name[0].toUpperCase()) box.append(make("pre", fieldsOf(doc, name)));
    }
    if (!missing) tryIt(method.toUpperCase(), path, operation, box);
  }, { passive: true });
  return node;
};
fetch("/api-json").then((response) => response.json()).then((doc) => {
  const groups = new Map();
  for (const [path, methods] of Object.entries(doc.paths))
    for (const [method, operation] of Object.entries(methods)) {
      const tag = operation.tags[0];
      if (!groups.has(tag)) groups.set(tag, []);
      groups.get(tag).push([path, method, operation]);
    }
  const main = document.getElementById("main");
  const draw = (word) => {
    main.replaceChildren();
    for (const [tag, entries] of groups) {
      const found = entries.filter(([path, method, operation]) =>
        (path + " " + method + " " + operation.summary).toLowerCase().includes(word));
      if (!found.length) continue;
      main.append(make("h2", tag));
      for (const [path, method, operation] of found) main.append(show(doc, path, method, operation));
    }
  };
  document.getElementById("search").oninput = (event) => draw(event.target.value.toLowerCase());
  draw("");
});
</script>
</body>
</html>
)html";
}

}  // namespace sebring::api
