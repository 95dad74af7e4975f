package cli

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// referenceFile is the reference of the commands, for people who read it
// without the program at hand. "make generate" writes it.
const referenceFile = "../../docs/reference/cli.md"

func TestReference_IsCurrent(t *testing.T) {
	golden(t, referenceFile, reference(newRoot()))
}

// reference is the text of all commands' help, in Markdown.
func reference(root *cobra.Command) []byte {
	root.InitDefaultCompletionCmd()
	var b bytes.Buffer
	b.WriteString("# The commands\n\n<!-- Generated from internal/cli by \"make generate\". DO NOT EDIT. -->\n\n")
	fmt.Fprintf(&b, "%s\n\n%s\n\n```\n%s\n```\n", root.Short+".", exitCodesMarkdown(), unindented(root.Example))
	b.WriteString("\n## Which Evergate is asked\n\nMost commands ask a running Evergate, and take these flags.\n\n" + asking + "\n\n```\n" + sharedUsages() + "```\n")
	for _, group := range root.Groups() {
		fmt.Fprintf(&b, "\n## %s\n", strings.TrimSuffix(group.Title, ":"))
		for _, cmd := range root.Commands() {
			if cmd.GroupID == group.ID && cmd.Name() != "help" && !cmd.Hidden {
				referenceOf(&b, cmd)
			}
		}
	}
	return b.Bytes()
}

// referenceOf writes the text of a command and of those below it.
func referenceOf(b *bytes.Buffer, cmd *cobra.Command) {
	if cmd.Name() == "completion" {
		fmt.Fprintf(b, "\n### evergate completion\n\nWrites the completion for a shell: `evergate completion bash`, `zsh`, `fish` or `powershell`;\n`evergate completion bash --help` says where to put it.\n")
		return
	}
	about := cmd.Long
	if about == "" {
		about = cmd.Short + "."
	}
	for _, shared := range []string{exitCodes, asking} {
		about = strings.ReplaceAll(about, shared, "")
	}
	fmt.Fprintf(b, "\n### %s\n\n%s\n", cmd.CommandPath(), prose(strings.TrimSpace(about)))
	if !cmd.HasSubCommands() {
		fmt.Fprintf(b, "\n```\n%s\n```\n", cmd.UseLine())
	}
	for _, name := range sharedFlags {
		if f := cmd.Flags().Lookup(name); f != nil && f.Annotations[sharedFlag] != nil {
			f.Hidden = true
		}
	}
	if flags := cmd.NonInheritedFlags().FlagUsagesWrapped(100); flags != "" {
		fmt.Fprintf(b, "\n```\n%s```\n", flags)
	}
	if cmd.Example != "" {
		fmt.Fprintf(b, "\n```\n%s\n```\n", unindented(cmd.Example))
	}
	for _, below := range cmd.Commands() {
		referenceOf(b, below)
	}
}

// sharedUsages is the text of the flags that many commands have.
func sharedUsages() string {
	cmd := &cobra.Command{}
	addConnection(cmd, &connection{})
	addForm(cmd, new(string))
	return cmd.Flags().FlagUsagesWrapped(100)
}

func exitCodesMarkdown() string {
	_, list, _ := strings.Cut(exitCodes, "\n")
	var b strings.Builder
	b.WriteString("| exit code | |\n|---|---|\n")
	for line := range strings.Lines(list) {
		code, meaning, _ := strings.Cut(strings.TrimSpace(line), "  ")
		fmt.Fprintf(&b, "| %s | %s |\n", code, meaning)
	}
	return strings.TrimSpace(b.String())
}

// prose is text with its indented parts as code.
func prose(text string) string {
	var b strings.Builder
	code := false
	for line := range strings.Lines(text) {
		if indented := strings.HasPrefix(line, "  "); indented != code {
			code = indented
			b.WriteString("```\n")
		}
		b.WriteString(line)
	}
	if code {
		b.WriteString("\n```")
	}
	return b.String()
}

func unindented(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimPrefix(lines[i], "  ")
	}
	return strings.Join(lines, "\n")
}

// golden compares got with a file, which -update rewrites.
func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v (go test -update writes it)", err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not current (go test -update rewrites it); now it would be:\n%s", file, got)
	}
}
