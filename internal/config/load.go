package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxFile bounds the file, in bytes.
const maxFile = 1 << 20

// Load reads and checks the file at path. The error is a *Problems if the file
// could be read but not used. Warnings come with a good file.
func Load(path string) (*Config, []Warning, error) {
	data, err := readBounded(path)
	if err != nil {
		return nil, nil, err
	}
	full, err := filepath.Abs(path)
	if err != nil {
		return nil, nil, fmt.Errorf("read the configuration: %w", err)
	}
	c, warnings, err := Parse(path, filepath.Dir(full), data, os.LookupEnv)
	if err != nil {
		return nil, warnings, err
	}
	c.File = full
	return c, warnings, nil
}

// Parse reads and checks data. name is what problems call the file, dir the
// absolute folder from which relative paths count, env looks up environment
// variables. The error is always a *Problems.
func Parse(name, dir string, data []byte, env func(string) (string, bool)) (*Config, []Warning, error) {
	r := &reader{file: name, dir: dir, env: env, at: map[string]*yaml.Node{}}
	c := &Config{File: name, Dir: dir}
	if root := r.document(data); root != nil {
		v := reflect.ValueOf(c).Elem()
		r.fill(v)
		r.value(root, v, "", "")
	}
	var warnings []Warning
	if len(r.problems) == 0 {
		k := &checker{reader: r, cfg: c}
		k.check()
		warnings = k.warnings
	}
	if len(r.problems) > 0 {
		sortProblems(r.problems)
		return nil, warnings, &Problems{List: r.problems}
	}
	return c, warnings, nil
}

// DataDir returns the absolute data_dir that the file at path names, and asks
// nothing else of it, so that a running Evergate can be found when the file is
// otherwise wrong.
func DataDir(path string) (string, error) {
	full, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("read the configuration: %w", err)
	}
	data, err := readBounded(full)
	if err != nil {
		return "", err
	}
	r := &reader{file: path, dir: filepath.Dir(full), env: os.LookupEnv}
	var node Node
	r.fill(reflect.ValueOf(&node).Elem())
	if root := r.document(data); root != nil && root.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(root.Content); i += 2 {
			if root.Content[i].Value == "node" {
				r.value(root.Content[i+1], reflect.ValueOf(&node).Elem(), "node", "")
			}
		}
	}
	if len(r.problems) > 0 {
		return "", &Problems{List: r.problems}
	}
	return r.absolute(node.DataDir), nil
}

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	return data, nil
}

// document parses the YAML and returns its one root, or nil with a problem.
func (r *reader) document(data []byte) *yaml.Node {
	if len(data) > maxFile {
		r.problem(nil, "", "is larger than 1 MiB")
		return nil
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var doc, more yaml.Node
	if err := decoder.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			r.problem(nil, "", "is empty; the guide in README.md has one to start from")
		} else {
			r.syntax(err)
		}
		return nil
	}
	if err := decoder.Decode(&more); !errors.Is(err, io.EOF) {
		if err != nil {
			r.syntax(err)
		} else {
			r.problem(&more, "", "has a second document after \"---\"; only one is read")
		}
		return nil
	}
	if len(doc.Content) != 1 || (doc.Content[0].Kind == yaml.ScalarNode && doc.Content[0].Tag == "!!null") {
		r.problem(nil, "", "is empty; the guide in README.md has one to start from")
		return nil
	}
	return doc.Content[0]
}

var yamlLine = regexp.MustCompile(`^line (\d+): (.*)$`)

// syntax notes an error of the YAML library, which carries its line in its text.
func (r *reader) syntax(err error) {
	p := Problem{File: r.file, Message: "not YAML: " + strings.TrimPrefix(err.Error(), "yaml: ")}
	if m := yamlLine.FindStringSubmatch(strings.TrimPrefix(err.Error(), "yaml: ")); m != nil {
		p.Line, _ = strconv.Atoi(m[1])
		p.Column, p.Message = 1, "not YAML: "+m[2]
	}
	r.problems = append(r.problems, p)
}
