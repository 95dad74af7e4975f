package refdoc

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/evergate/evergate/internal/config"
)

const docs = "../../../docs/reference"

func TestGenerate_TheDocumentsAreCurrent(t *testing.T) {
	files, err := Generate("..")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(docs, name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not what internal/config says; run: make generate", name)
		}
	}
}

func TestGenerate_WantsACommentOnEveryField(t *testing.T) {
	c, err := parseComments("..")
	if err != nil {
		t.Fatal(err)
	}
	delete(c.fields, "Server.Weight")
	if _, err := c.schema(); err == nil || !strings.Contains(err.Error(), "Server.Weight") {
		t.Errorf("the schema without a comment: %v", err)
	}
	if _, err := c.reference(); err == nil || !strings.Contains(err.Error(), "Server.Weight") {
		t.Errorf("the reference without a comment: %v", err)
	}
}

func TestReference_HasEveryKeyInItsBlock(t *testing.T) {
	c, err := parseComments("..")
	if err != nil {
		t.Fatal(err)
	}
	reference, err := c.reference()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"## `origins.NAME.servers[]`", "## `sites[].routes[].retry.replay`",
		"| `weight` | whole number, 1 to 1000 | `1` | Share of the traffic beside the others. |",
		"| `hosts` | list of text | *required* |",
		"| `data_dir` | path | `./evergate-data` |",
		"Short form: `url`.",
	} {
		if !strings.Contains(string(reference), want) {
			t.Errorf("the reference lacks %s", want)
		}
	}
}

func TestSchema_IsItselfValid(t *testing.T) {
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	meta, err := compiler.Compile("https://json-schema.org/draft/2020-12/schema")
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(docs, Schema))
	if err != nil {
		t.Fatal(err)
	}
	schema, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if err := meta.Validate(schema); err != nil {
		t.Error(err)
	}
	if strings.Count(string(data), `"additionalProperties": false`) < 30 {
		t.Error("the blocks of the schema are open")
	}
}

func TestSchema_AcceptsEveryGoodFile(t *testing.T) {
	schema := compile(t)
	for _, file := range corpus(t, "*.good.yaml") {
		if err := schema.Validate(load(t, file)); err != nil {
			t.Errorf("%s: %v", filepath.Base(file), err)
		}
	}
}

func TestSchema_RefusesWhatItCanKnowToBeBad(t *testing.T) {
	schema := compile(t)
	for _, name := range []string{
		"a-list", "bad-words", "empty-blocks", "everything-at-once", "fixed-answers", "missing-parts", "no-servers",
		"secrets-in-no-form", "chat-words", "keys-of-nothing",
		"null-items", "out-of-range", "too-much", "unbuilt-keys", "unknown-keys", "wrong-types",
	} {
		if schema.Validate(load(t, "../testdata/"+name+".bad.yaml")) == nil {
			t.Errorf("%s.bad.yaml passes", name)
		}
	}
}

func TestSchema_HasTheDefaultsOfTheReader(t *testing.T) {
	schema := compile(t)
	c, _, err := config.Parse("f", "/", []byte("listen: {http: ':80'}\nsites: [{hosts: [a], routes: [{path: /, respond: {}}]}]"), nil)
	if err != nil {
		t.Fatal(err)
	}
	limits := schema.Properties["limits"].AnyOf[0].Ref
	for key, want := range map[string]any{"header_fields": c.Limits.HeaderFields, "header_timeout": c.Limits.HeaderTimeout, "header_bytes": c.Limits.HeaderBytes} {
		p := limits.Properties[key]
		if p == nil || p.Default == nil || fmt.Sprint(*p.Default) != fmt.Sprint(want) {
			t.Errorf("default of limits.%s: %+v, want %v", key, p, want)
		}
	}
}

// What the reader takes, an editor must not mark as wrong.
func FuzzSchema_AcceptsWhatTheReaderAccepts(f *testing.F) {
	schema := compile(f)
	for _, file := range corpus(f, "*.good.yaml") {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		environment := func(string) (string, bool) { return "http://127.0.0.1:3001", true }
		if _, _, err := config.Parse("f", "/", data, environment); err != nil {
			return
		}
		var v any
		if err := yaml.Unmarshal(data, &v); err != nil {
			return // the reader is not bound by what YAML makes of its values
		}
		if err := schema.Validate(plainJSON(v)); err != nil {
			t.Errorf("the reader accepts\n%s\nand the schema says %v", data, err)
		}
	})
}

// plainJSON gives what YAML reads as a date back as a text, as it is in JSON.
func plainJSON(v any) any {
	switch v := v.(type) {
	case time.Time:
		return v.Format(time.RFC3339)
	case []any:
		for i := range v {
			v[i] = plainJSON(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = plainJSON(v[k])
		}
	case map[any]any: // a key that is no text: a name such as 7
		m := map[string]any{}
		for k, one := range v {
			m[fmt.Sprint(k)] = plainJSON(one)
		}
		return m
	}
	return v
}

func TestKind_NamesEveryTypeThatThereIs(t *testing.T) {
	for want, v := range map[string]any{
		"time": config.Duration(0), "size": config.Size(0), "network": config.Prefix{}, "text or list of text": config.StringList{},
		"list of whole number": []int{}, "name: text": map[string]string{}, "name: block": map[string]*config.Origin{},
		"secret": config.Secret{}, "name: text or secret": map[string]config.HeaderValue{}, "true or false": false, "number": 0.5, "text": "", "block": config.Node{},
	} {
		if got := kind(reflect.TypeOf(v), ""); got != want {
			t.Errorf("%T is called %s, want %s", v, got, want)
		}
	}
}

func compile(t testing.TB) *jsonschema.Schema {
	t.Helper()
	schema, err := jsonschema.NewCompiler().Compile(filepath.Join(docs, Schema))
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func corpus(t testing.TB, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob("../testdata/" + pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no %s: %v", pattern, err)
	}
	return files
}

func load(t testing.TB, file string) any {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := yaml.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	return plainJSON(v)
}
