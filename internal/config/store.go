package config

// Store is where settings, leases and certificates are kept.
type Store struct {
	// Database that several nodes share: "postgres://user:password@host/database". Empty: SQLite in data_dir, for one node.
	URL Secret `yaml:"url"`
	// Never wait for notifications of the database, only ask: for PgBouncer in transaction mode.
	PollOnly bool `yaml:"poll_only" default:"false"`
}
