// Command testreport runs go test and shows what a reader needs: a line for
// each package, the whole output of what failed, and at the end the names of
// the tests that were skipped, with their reason. With EVERGATE_REQUIRE=all a
// test skipped because a part is missing on this machine counts as failed.
//
// Usage: testreport [flags of go test] PACKAGES... [FOLDERS OF OTHER MODULES...]
//
// An argument that is a folder with a go.mod of its own is tested there, as
// ./... of that module.
package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Getenv("EVERGATE_REQUIRE") == "all"))
}

// run tests everything that args name and returns the exit code.
func run(args []string, out io.Writer, requireAll bool) int {
	start := time.Now()
	packages, modules := split(args)
	report := newReport(out)
	failed := !goTest(".", packages, report, out)
	flags := flagsOf(packages)
	for _, dir := range modules {
		fmt.Fprintf(out, "== module %s\n", dir)
		if !goTest(dir, append(flags, "./..."), report, out) {
			failed = true
		}
	}
	if !report.summary(time.Since(start), requireAll) {
		failed = true
	}
	if failed {
		return 1
	}
	return 0
}

// goTest runs go test -json with args in dir and reports whether it succeeded.
func goTest(dir string, args []string, report *report, out io.Writer) bool {
	cmd := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	cmd.Dir = dir
	cmd.Stderr = out
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		fmt.Fprintf(out, "run go test in %s: %v\n", dir, err)
		return false
	}
	report.read(stdout)
	return cmd.Wait() == nil
}

// split parts args into what belongs to the main module and the folders of
// other modules.
func split(args []string) (packages, modules []string) {
	for _, arg := range args {
		if _, err := os.Stat(filepath.Join(arg, "go.mod")); err == nil && filepath.Clean(arg) != "." {
			modules = append(modules, arg)
			continue
		}
		packages = append(packages, arg)
	}
	return packages, modules
}

// flagsOf returns args without the packages, which begin with a dot here.
func flagsOf(args []string) []string {
	var flags []string
	for _, arg := range args {
		if arg[:min(1, len(arg))] != "." {
			flags = append(flags, arg)
		}
	}
	return flags
}
