// Copies the API's documents into JSON, for spec/conformance/, or prints one of them:
//
//   node tools/conformance/schemas.js FROM TO    (`make schemas CONTRACT=FROM` installs js-yaml)
//   node tools/conformance/schemas.js FILE
//
// Descriptions remain, because some limits appear only there; examples are removed. The same
// documents give the same files.
const fs = require("fs")
const path = require("path")
const yaml = require("js-yaml")  // a dependency of Prism

const REMOVED = ["example", "examples", "externalDocs", "tags"]

// Nodes whose keys are free names: a field may be called "tags".
const MAPS = ["paths", "properties", "schemas", "parameters", "responses", "content", "headers",
  "securitySchemes"]

// `parent` is the key of the node.
function copy(node, parent) {
  if (Array.isArray(node)) return node.map((item) => copy(item))
  if (node === null || typeof node !== "object") return node
  const is_map = MAPS.includes(parent)
  const kept = Object.entries(node).filter(([key]) =>
    is_map || !(REMOVED.includes(key) || key.startsWith("x-")))
  return Object.fromEntries(kept.map(([key, value]) => [key, copy(value, is_map ? undefined : key)]))
}

// JSON_SCHEMA reads a date without quotes as text.
function read(file) {
  const document = yaml.safeLoad(fs.readFileSync(file, "utf8"), { schema: yaml.JSON_SCHEMA })
  return JSON.stringify(copy(document), null, 1) + "\n"
}

const [from, to] = process.argv.slice(2)
if (!to) {
  process.stdout.write(read(from))
} else {
  // companions.json is version 1 of companions-v2.json.
  const is_document = (name) => /\.(yaml|json)$/.test(name) && name !== "companions.json"
  for (const name of fs.readdirSync(from).filter(is_document)) {
    fs.writeFileSync(path.join(to, path.parse(name).name + ".json"), read(path.join(from, name)))
  }
}
