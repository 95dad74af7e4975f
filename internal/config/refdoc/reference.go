package refdoc

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"

	"github.com/evergate/evergate/internal/config"
)

const preface = `<!-- Generated from internal/config by "make generate"; edit the comments there. -->

# Configuration reference

Evergate reads one file, ` + "`evergate.yaml`" + `: the one that ` + "`--config`" + ` names, else the one in the
working directory, else ` + "`/etc/evergate/evergate.yaml`" + `. It is strict: an unknown key is an error, and
all errors are shown at once, with line and key. ` + "`evergate validate`" + ` checks a file without using it.

- **time**: ` + "`250ms`, `5s`, `1h30m`" + `. **size**: ` + "`512`, `64KiB`, `1GB`" + `. **network**: ` + "`10.0.0.0/8`, `192.0.2.7`, `2001:db8::/32`" + `.
  Where nothing else is said, none is negative, and a time is at most ` + config.MaxDuration + `, a size ` + config.MaxSize + `, a number ` + config.MaxNumber + `.
- **path**: relative ones count from the folder of the file.
- ` + "`${NAME}`" + ` in a value is the environment variable of that name; ` + "`$${`" + ` is a plain ` + "`${`" + `.
- **secret**: a text, ` + "`{file: PATH}`" + ` or ` + "`{env: NAME}`" + `; it is shown nowhere ([secrets](../guide/secrets.md)).
- A key with nothing behind it has its default. YAML's anchors and aliases work; its merge keys (` + "`<<`" + `) do not.
- A block with a *short form* may be written as one value: ` + "`balance: round_robin`" + ` is ` + "`balance: {policy: round_robin}`" + `.
- Editors can check the file as you type with [the JSON schema](evergate.schema.json).

`

// reference is the document for people: a table for each block.
func (c *comments) reference() ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(preface)
	if err := c.section(&b, reflect.TypeFor[config.Config](), ""); err != nil {
		return nil, err
	}
	return append(bytes.TrimRight(b.Bytes(), "\n"), '\n'), nil
}

func (c *comments) section(b *bytes.Buffer, t reflect.Type, path string) error {
	if path == "" {
		b.WriteString("## The file\n\n")
	} else {
		fmt.Fprintf(b, "## `%s`\n\n%s\n\n", path, c.types[t.Name()])
	}
	b.WriteString("| key | type | default | meaning |\n|---|---|---|---|\n")
	type child struct {
		t    reflect.Type
		path string
	}
	var children []child
	for i := range t.NumField() {
		f := t.Field(i)
		key := f.Tag.Get("yaml")
		if key == "-" {
			continue
		}
		doc, err := c.field(t, f)
		if err != nil {
			return err
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", key, cell(kind(f.Type, f.Tag)+bounds(f.Tag)), cell(standard(f.Tag)), cell(doc+shortForm(f)))
		if block, between := inner(f.Type); isBlock(block) {
			at := key + between
			if path != "" {
				at = path + "." + at
			}
			children = append(children, child{block, at})
		}
	}
	b.WriteString("\n")
	for _, one := range children {
		if err := c.section(b, one.t, one.path); err != nil {
			return err
		}
	}
	return nil
}

func cell(s string) string { return strings.ReplaceAll(s, "|", "\\|") }

func standard(tag reflect.StructTag) string {
	if d, ok := tag.Lookup("default"); ok {
		return "`" + d + "`"
	}
	if tag.Get("required") == "true" {
		return "*required*"
	}
	return ""
}

func bounds(tag reflect.StructTag) string {
	low, high := tag.Get("min"), tag.Get("max")
	switch {
	case low != "" && high != "":
		return ", " + low + " to " + high
	case low != "" && low != "0":
		return ", at least " + low
	case high != "":
		return ", at most " + high
	default:
		return ""
	}
}

func shortForm(f reflect.StructField) string {
	if short := f.Tag.Get("short"); short != "" {
		return " Short form: `" + short + "`."
	}
	return ""
}
