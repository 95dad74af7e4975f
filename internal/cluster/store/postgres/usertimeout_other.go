//go:build !linux

package postgres

import "time"

// setUserTimeout is for Linux; elsewhere keep-alive and deadlines have to do.
func setUserTimeout(int, time.Duration) {}
