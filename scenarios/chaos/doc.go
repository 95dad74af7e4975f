// Package chaos is the scenario in which servers die: under a mixed load of GET
// and POST, three servers in processes of their own are killed, restarted and
// hung at random. The package is its test; the README tells the story.
package chaos
