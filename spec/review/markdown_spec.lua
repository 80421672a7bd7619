-- Markdown of summary pages: text from a server is no markup.

local markdown = require "cekura.review.gate.markdown"

describe("markdown", function()
  it("escapes what would be markup", function()
    for value, expected in pairs {
      ["a | b"] = [[a \| b]], ["`code` ``x``"] = [[\`code\` \`\`x\`\`]],
      ["<script>alert(1)</script>"] = "&lt;script&gt;alert(1)&lt;/script&gt;",
      ["<!-- x -->"] = "&lt;!-- x --&gt;", ["&lt; &amp;"] = "&amp;lt; &amp;amp;",
      ["**bold** _it_ ~~x~~"] = [[\*\*bold\*\* \_it\_ \~\~x\~\~]],
      ["![i](http://x/y.png) [l](u)"] = [[!\[i\](http://x/y.png) \[l\](u)]],
      [ [[\|]] ] = [[\\\|]], ["$x$ #12"] = [[\$x\$ \#12]],
      ["one\ntwo\r\n| a |\n# b"] = [[one two  \| a \| \# b]],
      ["\27[31mred\7"] = [[ \[31mred ]], ["a\xFFb\xE2\x82"] = "ab", ["Grüße 🙂"] = "Grüße 🙂",
      [""] = "",
    } do
      assert.equal(expected, markdown.text(value))
    end
    assert.equal("-", markdown.text(nil))
    assert.equal("5544", markdown.text(5544))
  end)

  it("cuts long text between two characters, before it escapes", function()
    assert.equal("世世…", markdown.text("世世世", 2))
    assert.equal("世世世", markdown.text("世世世", 3))
    assert.equal([[\|\|…]], markdown.text("|||", 2))
    assert.equal(301 * 2 + 1, #markdown.text(("|"):rep(1000000), 300))
  end)

  it("links to http and https only", function()
    assert.equal("[a \\| b](<https://x/y?a=1&b=(2)>)",
      markdown.link("a | b", "https://x/y?a=1&b=(2)"))
    for url, expected in pairs {
      ["javascript:alert(1)"] = "javascript:alert(1)",
      ["https://x> [y](z"] = [[https://x&gt; \[y\](z]],
      ["https://x\n# y"] = [[https://x \# y]], ["https://x\\>"] = [[https://x\\&gt;]],
      ["https://ü"] = "https://ü",
    } do
      assert.equal("link: " .. expected, markdown.link("link", url))
    end
  end)

  it("writes a table", function()
    assert.equal("| a | b |\n| --- | --- |\n| 1 | \\| |\n",
      markdown.table { { "a", "b" }, { "1", markdown.text "|" } })
  end)
end)
