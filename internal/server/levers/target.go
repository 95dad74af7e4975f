package levers

// Target is what the levers turn: a generation, in use or about to be.
type Target struct {
	Origins Origins
	Sites   Sites
	Log     Log
}

// Origins turns the levers of origins and servers; *proxy.Proxy is one. A setter
// acts before it returns, and refuses an origin or server that there is not.
type Origins interface {
	SetPaused(origin string, paused bool) error
	SetMaxInFlight(origin string, n int) error
	SetRetryAttempts(origin string, n int) error
	SetRetryBudgetPercent(origin string, percent int) error
	// SetServerState takes "up", "drain" or "maint"; server is the configured
	// address without scheme, and why is for the log and status.
	SetServerState(origin, server, state, why string) error
	SetServerWeight(origin, server string, weight int) error
}

// Sites turns the levers of sites; *gateway.Runtime is one.
type Sites interface {
	// SetMaintenance closes or opens the site that has host among its hosts.
	SetMaintenance(host string, on bool) error
}

// Log turns the level of Evergate's own log.
type Log interface {
	// SetLevel takes a word of log.level.
	SetLevel(level string) error
}
