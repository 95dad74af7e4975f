package api

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the reference")

// referenceFile is the document for whoever makes a client without an Evergate at
// hand. "make generate" writes it. It says version 0 where a running Evergate says
// its own.
const referenceFile = "../../../docs/reference/openapi.json"

func TestDocument_TheReferenceIsCurrent(t *testing.T) {
	document := documentOf(t)
	document["info"].(map[string]any)["version"] = "0"
	var want bytes.Buffer
	to := json.NewEncoder(&want) // keys in order
	to.SetEscapeHTML(false)
	to.SetIndent("", "  ")
	if err := to.Encode(document); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(referenceFile, want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(referenceFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want.Bytes()) {
		t.Errorf("%s is not what the code says; run: make generate", referenceFile)
	}
}
