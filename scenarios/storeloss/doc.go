// Package storeloss proves that the store is on nobody's way: PostgreSQL refuses,
// hangs, answers errors or comes back empty under load, Evergate is killed in the
// middle of it, and visitors notice nothing, levers turn, and nothing is lost.
package storeloss
