// Package storeloss proves that the store is on nobody's way: PostgreSQL refuses,
// hangs, answers errors or comes back empty under load, nodes are cut off and
// killed, and visitors notice nothing, levers turn, and nothing is lost. The
// package is its test; the README tells the story.
package storeloss
