"""Reads an HTML page and prints its properties as JSON:

problems   violations of the rules of HTML: tags that do not match, duplicate ids, links and labels
           without a target, tables without caption or scope, characters that HTML does not allow
loads      resources that a browser would fetch from elsewhere, and scripts
tables     { caption: [[cell, ...], ...] }, a list of rows
headings   the texts of the headings, in order
texts      the text of each element with a class, { class: [text, ...] }
text       the whole text, with single spaces
"""
import html.parser
import json
import re
import sys

VOID = {"meta", "link", "br", "img", "input", "hr"}
LOADING = {"src", "srcset", "href", "xlink:href", "data", "poster", "action", "background"}


class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.stack, self.ids, self.pointers = [], [], []
        self.problems, self.loads, self.tables, self.headings, self.texts = [], [], {}, [], {}
        self.words, self.table, self.style = [], None, ""

    # -- open elements

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.look_at(tag, attributes)
        if tag not in VOID:
            self.stack.append({"tag": tag, "class": attributes.get("class", ""), "text": []})
        self.open_table(tag, attributes)

    def handle_startendtag(self, tag, attributes):
        self.look_at(tag, dict(attributes))

    def handle_endtag(self, tag):
        if not self.stack or self.stack[-1]["tag"] != tag:
            self.problems.append("line %d: </%s> closes nothing" % (self.getpos()[0], tag))
            return
        element = self.stack.pop()
        text = " ".join("".join(element["text"]).split())
        for name in element["class"].split():
            self.texts.setdefault(name, []).append(text)
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(text)
        self.close_table(tag, text)

    def handle_data(self, data):
        for element in self.stack:
            element["text"].append(data)
        if self.stack and self.stack[-1]["tag"] == "style":
            self.style += data
        else:
            self.words.append(data)

    # -- attributes

    def look_at(self, tag, attributes):
        line = self.getpos()[0]
        if tag in ("script", "iframe", "object", "embed", "img", "link", "base"):
            self.loads.append("<%s>" % tag)
        for name, value in attributes.items():
            if name.startswith("on"):
                self.loads.append("%s=%s" % (name, value))
            if name in LOADING and not value.startswith("#"):
                self.loads.append("%s=%s" % (name, value))
            if name == "href" and value.startswith("#"):
                self.pointers.append((line, value[1:]))
            if name in ("aria-labelledby", "aria-describedby"):
                self.pointers += [(line, part) for part in value.split()]
        if "id" in attributes:
            self.ids.append(attributes["id"])
        if tag == "th" and attributes.get("scope") not in ("row", "col", "rowgroup", "colgroup"):
            self.problems.append("line %d: a <th> without a scope" % line)
        if tag == "svg" and (attributes.get("role") != "img" or "aria-labelledby" not in attributes):
            self.problems.append("line %d: a picture without a name" % line)

    # -- tables

    def open_table(self, tag, attributes):
        if tag == "table":
            self.table = {"caption": None, "rows": []}
        elif tag == "tr":
            self.table["rows"].append([])

    def close_table(self, tag, text):
        if tag == "caption":
            self.table["caption"] = text
        elif tag in ("td", "th"):
            self.table["rows"][-1].append(text)
        elif tag == "table":
            if not self.table["caption"]:
                self.problems.append("a table without a caption")
            self.tables[self.table["caption"] or ""] = self.table["rows"]
            self.table = None

    # -- results

    def finish(self, source):
        self.close()
        self.problems += ["<%s> is never closed" % element["tag"] for element in self.stack]
        self.problems += ["id %s twice" % i for i in sorted(set(self.ids)) if self.ids.count(i) > 1]
        self.problems += ["line %d: link to a missing #%s" % p for p in self.pointers if p[1] not in self.ids]
        bad = re.findall("[\x00-\x08\x0b-\x1f\x7f-\x9f\ufffe\uffff]", source)
        self.problems += ["character %#x" % ord(character) for character in bad]
        self.loads += re.findall(r"url\([^)]*\)|@import[^;]*|@font-face", self.style)


with open(sys.argv[1], encoding="utf-8", newline="") as file:
    source = file.read()
page = Page()
page.feed(source)
page.finish(source)
json.dump({
    "problems": page.problems, "loads": page.loads, "tables": page.tables,
    "headings": page.headings, "texts": page.texts, "text": " ".join("".join(page.words).split()),
}, sys.stdout)
