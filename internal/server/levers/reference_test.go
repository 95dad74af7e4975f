package levers

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/evergate/evergate/internal/cluster/setting"
)

var update = flag.Bool("update", false, "rewrite the reference")

// referenceFile is the reference of the levers. "make generate" writes it.
const referenceFile = "../../../docs/reference/levers.md"

func TestReference_IsCurrent(t *testing.T) {
	want := reference(Registry().Levers())
	if *update {
		if err := os.WriteFile(referenceFile, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(referenceFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what the declarations say; run: make generate", referenceFile)
	}
}

const head = `# Levers

<!-- Generated from internal/server/levers by "make generate"; edit the declarations there. -->

What can be turned while Evergate runs; [the guide](../guide/levers.md) says how. A lever's name is its path in the
[configuration](config.md), which gives its value until somebody turns it. What stands in capitals is a name of yours:

| | |
|---|---|
| ` + "`NAME`" + ` | an origin |
| ` + "`ADDR`" + ` | a server of it, as the file has it without ` + "`http://` or `https://`" + `, with its port: ` + "`10.0.0.11:8080`, `app.internal:443`, `[2001:db8::1]:8080`, `unix:/run/app.sock`" + `. A host name stands for all its addresses. |
| ` + "`HOST`" + ` | a site, by the first of its ` + "`hosts`" + `; the others are understood too |

Names with brackets want quotes in a shell. ` + "`evergate levers`" + ` lists those of your configuration.

| lever | values | default of the file | what it does |
|---|---|---|---|
`

// reference is the text about all levers, in Markdown.
func reference(all []setting.Lever) []byte {
	var b bytes.Buffer
	b.WriteString(head)
	for _, l := range all {
		fmt.Fprintf(&b, "| `%s` | %s | `%v` | %s |\n", l.Pattern, takes(l), l.Default, l.Doc)
	}
	b.WriteString("\n## Examples\n\n```\n")
	for _, l := range all {
		name := strings.NewReplacer("NAME", "booking", "ADDR", "10.0.0.11:8080", "HOST", "book.example.org").Replace(l.Pattern)
		if strings.Contains(name, "[") {
			name = "'" + name + "'"
		}
		fmt.Fprintf(&b, "evergate lever set %s %s --reason \"...\"\n", name, another(l))
	}
	b.WriteString("```\n")
	return b.Bytes()
}

// takes says which values a lever takes.
func takes(l setting.Lever) string {
	switch l.Kind {
	case setting.Boolean:
		return "`true`, `false`"
	case setting.Word:
		return "`" + strings.Join(l.Words, "`, `") + "`"
	}
	unit := ""
	if l.Unit != "" && l.Unit != "%" {
		unit = " " + l.Unit
	}
	if l.Kind == setting.Percent {
		unit = " %"
	}
	if l.Max == unbounded {
		return fmt.Sprintf("%d or more%s", l.Min, unit)
	}
	return fmt.Sprintf("%d to %d%s", l.Min, l.Max, unit)
}

// another is a good value that is not the file's default, for an example.
func another(l setting.Lever) string {
	switch l.Kind {
	case setting.Boolean:
		return fmt.Sprint(l.Default != true)
	case setting.Word:
		for _, w := range l.Words {
			if w != l.Default {
				return w
			}
		}
	}
	if l.Min != l.Default {
		return fmt.Sprint(l.Min) // fewer retries, and not more: who copies it is in trouble
	}
	return "100"
}

// The examples of the reference are good ones.
func TestReference_ExamplesAreGood(t *testing.T) {
	for _, l := range Registry().Levers() {
		value, err := l.Parse(another(l))
		if err != nil {
			t.Errorf("%s: %v", l.Pattern, err)
		}
		if string(value) == fmt.Sprint(l.Default) {
			t.Errorf("%s: the example sets the default", l.Pattern)
		}
	}
}
