package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxFile bounds the file, in bytes.
const maxFile = 1 << 20

// defaultFiles is where Find looks.
func defaultFiles() []string { return []string{"./evergate.yaml", "/etc/evergate/evergate.yaml"} }

// Find returns path, or for "" the first of the default files that is there, as
// an absolute path. An error that names both wraps fs.ErrNotExist.
func Find(path string) (string, error) {
	return find(path, defaultFiles())
}

func find(path string, candidates []string) (string, error) {
	if path != "" {
		return filepath.Abs(path)
	}
	for _, c := range candidates {
		_, err := os.Stat(c)
		if err == nil {
			return filepath.Abs(c)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("look for a configuration: %w", err)
		}
	}
	return "", fmt.Errorf("look for a configuration: %w: neither %s", fs.ErrNotExist, strings.Join(candidates, " nor "))
}

// Load reads and checks the file at path, and the secrets that it names. The error is a *Problems if the file
// could be read but not used. Warnings come with a good file, and with a bad one.
func Load(path string) (*Config, []Warning, error) {
	full, err := filepath.Abs(path)
	if err != nil {
		return nil, nil, fmt.Errorf("read the configuration: %w", err)
	}
	data, err := readBounded(full, maxFile)
	if err != nil {
		return nil, nil, fmt.Errorf("read the configuration: %w", err)
	}
	around := surroundings{secret: readSecretFile}
	if info, err := os.Stat(full); err == nil {
		around.shared = info.Mode()&0o004 != 0
	}
	c, warnings, err := understand(path, filepath.Dir(full), data, os.LookupEnv, around)
	if err != nil {
		return nil, warnings, err
	}
	c.File = full
	return c, warnings, nil
}

// Parse reads and checks data. name is what problems call the file, dir the
// absolute folder from which relative paths count, env looks up environment
// variables. Nothing else is read: secrets in files of their own stay empty. The
// error is always a *Problems.
func Parse(name, dir string, data []byte, env func(string) (string, bool)) (*Config, []Warning, error) {
	return understand(name, dir, data, env, surroundings{})
}

// surroundings is what Load knows of the files around the text; the zero value
// is that there are none.
type surroundings struct {
	secret func(path string) (string, fs.FileMode, error) // reads a file that holds a secret
	shared bool                                           // everybody on the machine can read the configuration
}

// understand is Parse with surroundings.
func understand(name, dir string, data []byte, env func(string) (string, bool), around surroundings) (*Config, []Warning, error) {
	r := newReader(name, dir, env)
	c := &Config{File: name, Dir: dir}
	var warnings []Warning
	if root := r.document(data); root != nil {
		v := reflect.ValueOf(c).Elem()
		r.fill(v)
		r.value(root, v, "", "")
		k := &checker{reader: r, cfg: c, shared: around.shared}
		if around.secret != nil {
			k.readSecrets(around.secret)
		}
		k.check()
		warnings = k.warnings
	}
	sortProblems(warnings)
	if len(r.problems) > 0 {
		sortProblems(r.problems)
		return nil, warnings, &Problems{List: r.problems}
	}
	c.places = make(map[string]place, len(r.at))
	for path, n := range r.at {
		c.places[path] = place{n.Line, n.Column}
	}
	c.written = r.written
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
	data, err := readBounded(full, maxFile)
	if err != nil {
		return "", fmt.Errorf("read the configuration: %w", err)
	}
	r := newReader(path, filepath.Dir(full), os.LookupEnv)
	var node Node
	v := reflect.ValueOf(&node).Elem()
	r.fill(v)
	if root := r.document(data); root != nil && root.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(root.Content); i += 2 {
			if root.Content[i].Value == "node" {
				r.value(root.Content[i+1], v, "node", "")
			}
		}
	}
	if len(r.problems) > 0 {
		return "", &Problems{List: r.problems}
	}
	return r.absolute(node.DataDir), nil
}

// readBounded reads at most one byte more than most.
func readBounded(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, most+1))
}
