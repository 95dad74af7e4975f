// Package abuse proves that slow, greedy and malicious visitors and servers are
// bounded in time and memory (guide, section 7, items 17 to 22). Its tests run
// Evergate in a process of its own, whose resident memory they read from /proc,
// do to it what attackers do, and watch that somebody well-behaved is served
// meanwhile. They log their figures.
package abuse
