// Copies the API's documents without their prose, for spec/conformance/:
//
//   node tools/conformance/schemas.js FROM TO    (`make schemas CONTRACT=FROM` installs js-yaml)
//
// Paths, methods, parameters, types and limits remain. The same documents give the same files.
const fs = require("fs")
const path = require("path")
const yaml = require("js-yaml")  // a dependency of Prism

const PROSE = ["description", "summary", "title", "example", "examples", "externalDocs", "tags"]

// Nodes whose keys are free names: a field may be called "description".
const MAPS = ["paths", "properties", "schemas", "parameters", "responses", "content", "headers",
  "securitySchemes"]

// `parent` is the key of the node.
function facts(node, parent) {
  if (Array.isArray(node)) return node.map((item) => facts(item))
  if (node === null || typeof node !== "object") return node
  const copy = {}
  for (const [key, value] of Object.entries(node)) {
    const is_name = MAPS.includes(parent)
    if (!is_name && (PROSE.includes(key) || key.startsWith("x-"))) continue
    copy[key] = facts(value, is_name ? undefined : key)
    if (parent === "responses") copy[key].description = ""  // OpenAPI requires one
  }
  return copy
}

const [from, to] = process.argv.slice(2)
const documents = fs.readdirSync(from).filter((name) => /\.yaml$|^companions\.json$/.test(name))
for (const name of documents) {
  const document = facts(yaml.safeLoad(fs.readFileSync(path.join(from, name), "utf8")))
  const text = name.endsWith(".json") ? JSON.stringify(document, null, 1) + "\n"
    : yaml.safeDump(document, { noRefs: true, lineWidth: 100 })
  fs.writeFileSync(path.join(to, name), text)
}
