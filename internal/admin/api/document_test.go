package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/evergate/evergate/internal/admin/token"
)

// documentOf returns the document as the API serves it.
func documentOf(t *testing.T) map[string]any {
	t.Helper()
	w := newFixture(t).ask(http.MethodGet, "/api/openapi.json", "")
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/openapi+json" {
		t.Fatalf("%d %v", w.Code, w.Header())
	}
	v, err := jsonschema.UnmarshalJSON(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	return v.(map[string]any)
}

func TestDocument_IsOpenAPI31(t *testing.T) {
	text, err := os.ReadFile("testdata/openapi.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	openAPI, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource("openapi.schema.json", openAPI); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("openapi.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	document := documentOf(t)
	if err := schema.Validate(document); err != nil {
		t.Errorf("the document is no OpenAPI 3.1: %v", err)
	}
	// The check must see mistakes.
	delete(document["info"].(map[string]any), "title")
	if schema.Validate(document) == nil {
		t.Error("a document without a title is taken for OpenAPI 3.1")
	}
}

func TestDocument_EveryReferenceLeadsSomewhere(t *testing.T) {
	document := documentOf(t)
	refs := 0
	var walk func(at string, v any)
	walk = func(at string, v any) {
		switch v := v.(type) {
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok {
				refs++
				var target any = document
				rest, inside := strings.CutPrefix(ref, "#/")
				for part := range strings.SplitSeq(rest, "/") {
					object, _ := target.(map[string]any)
					target = object[part]
				}
				if !inside || target == nil {
					t.Errorf("%s refers to %s, which is not there", at, ref)
				}
			}
			for name, member := range v {
				walk(at+"/"+name, member)
			}
		case []any:
			for i, element := range v {
				walk(fmt.Sprintf("%s/%d", at, i), element)
			}
		}
	}
	walk("", document)
	if refs < 50 {
		t.Errorf("%d references were seen; the walk is wrong", refs)
	}
}

// TestDocument_EveryOperationIsDescribed wants words for everything that a person
// reads, and the answers that every operation may give.
func TestDocument_EveryOperationIsDescribed(t *testing.T) {
	document := documentOf(t)
	ids := map[string]bool{}
	for path, item := range document["paths"].(map[string]any) {
		for method, v := range item.(map[string]any) {
			op, name := v.(map[string]any), method+" "+path
			id := op["operationId"].(string)
			if ids[id] {
				t.Errorf("%s: %s is the id of two operations", name, id)
			}
			ids[id] = true
			role, _ := op[roleExtension].(string)
			if _, err := token.ParseRole(role); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if !strings.Contains(op["description"].(string), "Needs the role "+role) {
				t.Errorf("%s does not say its role in words", name)
			}
			want := []string{"401", "403", "421", "422", "429", "500"}
			if op["requestBody"] != nil {
				want = append(want, "400", "413", "415")
			}
			if strings.Contains(path, "{") {
				want = append(want, "404")
			}
			responses := op["responses"].(map[string]any)
			for _, status := range want {
				if responses[status] == nil {
					t.Errorf("%s has no answer %s", name, status)
				}
			}
			params, _ := op["parameters"].([]any)
			for _, p := range params {
				if p := p.(map[string]any); p["description"] == nil {
					t.Errorf("%s: the parameter %s has no description", name, p["name"])
				}
			}
		}
	}
	if len(ids) != len(operationsOf(newFixture(t))) {
		t.Errorf("%d operations are described", len(ids))
	}
	for name, v := range document["components"].(map[string]any)["schemas"].(map[string]any) {
		for member, p := range v.(map[string]any)["properties"].(map[string]any) {
			if p := p.(map[string]any); p["description"] == nil && p["$ref"] == nil {
				t.Errorf("%s.%s has no description", name, member)
			}
		}
	}
}

func TestDocument_AnswersMayGrowAndRequestsMayNot(t *testing.T) {
	schemas := documentOf(t)["components"].(map[string]any)["schemas"].(map[string]any)
	for _, name := range []string{"LeverChange", "ServerChange", "NewToken", "Confirmation"} {
		if schemas[name].(map[string]any)["additionalProperties"] != false {
			t.Errorf("%s takes members that nobody knows", name)
		}
	}
	for _, name := range []string{"Status", "Lever", "Problem", "Token"} {
		if schemas[name].(map[string]any)["additionalProperties"] != true {
			t.Errorf("%s cannot grow", name)
		}
	}
}

func TestDocument_IsTheSameInYAML(t *testing.T) {
	f := newFixture(t)
	w := f.ask(http.MethodGet, "/api/openapi.yaml", "")
	var fromYAML any
	if err := yaml.Unmarshal(w.Body.Bytes(), &fromYAML); err != nil {
		t.Fatal(err)
	}
	a, err := json.Marshal(fromYAML)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(documentOf(t))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a, b) {
		t.Error("the two forms of the document differ")
	}
}

// TestAnswersFitTheDocument asks for everything that can be read and holds the
// answer against the document.
func TestAnswersFitTheDocument(t *testing.T) {
	f := newFixture(t)
	document := documentOf(t)
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource("openapi.json", document); err != nil {
		t.Fatal(err)
	}
	values := strings.NewReplacer("{name}", "booking", "{addr}", "10.0.0.11:8080")
	leverValues := strings.NewReplacer("{name}", "origins.booking.paused")
	checked := 0
	for path, item := range document["paths"].(map[string]any) {
		if item.(map[string]any)["get"] == nil || strings.HasSuffix(path, "/events") {
			continue
		}
		at := values.Replace(path)
		if strings.Contains(path, "/levers/") {
			at = leverValues.Replace(path)
		}
		pointer := "openapi.json#/paths/" + strings.ReplaceAll(path, "/", "~1") + "/get/responses/200/content/application~1json/schema"
		schema, err := compiler.Compile(pointer)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		answer, err := jsonschema.UnmarshalJSON(f.ask(http.MethodGet, at, "").Body)
		if err != nil {
			t.Errorf("%s: %v", path, err)
		} else if err := schema.Validate(answer); err != nil {
			t.Errorf("GET %s: %v", at, err)
		}
		checked++
	}
	if checked < 12 {
		t.Errorf("only %d answers were checked", checked)
	}
	problem, err := compiler.Compile("openapi.json#/components/schemas/Problem")
	if err != nil {
		t.Fatal(err)
	}
	answer, err := jsonschema.UnmarshalJSON(f.ask(http.MethodGet, base+"/levers/origins.booking.pausd", "").Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := problem.Validate(answer); err != nil {
		t.Error(err)
	}
}

func TestDocument_NeedsATokenLikeEverythingElse(t *testing.T) {
	f := newFixture(t)
	for _, path := range []string{"/api/", "/api", "/api/openapi.json", "/api/openapi.yaml", "/api/v1/status", "/api/x"} {
		r := f.request(http.MethodGet, path, "")
		r.Header.Del("Authorization")
		problemIn(t, f.do(r), http.StatusUnauthorized, kindToken)
	}
	if w := f.ask(http.MethodGet, "/api", ""); w.Header().Get("Location") != "/api/" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	if names := typeNames(build(Options{}).huma.OpenAPI()); !slices.IsSorted(names) || len(names) < 20 {
		t.Errorf("types %q", names)
	}
}
