// Command gen writes the reference of the configuration and its JSON schema
// from the structs of package config: their tags, and their comments.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/evergate/evergate/internal/config/refdoc"
)

// Run by go generate in internal/config: the arguments are the folder of the
// Go source and that of the documents.
func main() {
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(source, docs string) error {
	files, err := refdoc.Generate(source)
	if err != nil {
		return err
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(docs, name), data, 0o644); err != nil {
			return fmt.Errorf("write reference: %w", err)
		}
	}
	return nil
}
