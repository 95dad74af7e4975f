package server

import (
	"runtime"
	"runtime/debug"
)

// Build says from what this binary was made.
type Build struct {
	Version  string `json:"version"`            // of the module, "(devel)" for one built from a changed tree
	Revision string `json:"revision,omitempty"` // commit, "" if the tree was not a repository
	Time     string `json:"time,omitempty"`     // of that commit
	Go       string `json:"go"`                 // version of the toolchain
	Platform string `json:"platform"`           // such as linux/amd64
}

// ThisBuild reads what the Go toolchain has put into the binary.
func ThisBuild() Build {
	b := Build{Version: "(devel)", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if info.Main.Version != "" {
		b.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.time":
			b.Time = s.Value
		}
	}
	return b
}
