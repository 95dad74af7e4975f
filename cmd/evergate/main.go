// Command evergate is the front door: see the README, or "evergate --help".
package main

import (
	"os"

	"github.com/evergate/evergate/internal/cli"
)

func main() {
	os.Exit(cli.Main(os.Args[1:], os.Stdout, os.Stderr))
}
