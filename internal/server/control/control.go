// Package control is how the commands talk to a running Evergate: HTTP over the
// unix socket admin.sock in data_dir. Who may open the socket (mode 0600: the
// same user, and root) may operate the door; nothing else is asked.
//
//	GET  /status   200 Status
//	POST /reload   200 Result of a reload that took place, 422 Result of one that kept the old configuration
package control

import (
	"errors"
	"time"
)

// SocketName is the socket's name in data_dir.
const SocketName = "admin.sock"

// ErrNotRunning says that nobody answers on the socket.
var ErrNotRunning = errors.New("no Evergate is running there")

// Status says who answers.
type Status struct {
	PID      int       `json:"pid"`
	Version  string    `json:"version"`
	Config   string    `json:"config"`   // path of the file
	Started  time.Time `json:"started"`  // of the process
	Loaded   time.Time `json:"loaded"`   // when the configuration in use was loaded
	Draining bool      `json:"draining"` // on its way out
}

// Result is how a reload went.
type Result struct {
	OK       bool     `json:"ok"`                 // false: the old configuration is still in use
	Config   string   `json:"config"`             // path of the file
	Problems []string `json:"problems,omitempty"` // why not, each with file, line and key where there is one
	Warnings []string `json:"warnings,omitempty"` // what the operator should know all the same
	Changes  []string `json:"changes,omitempty"`  // listeners opened and closed, and the like
	Millis   int64    `json:"millis"`             // how long it took
}
