package process

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Tree returns pid and all its descendants that are alive.
func Tree(pid int) ([]int, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	children := map[int][]int{}
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) {
			continue // ended while we were looking
		}
		if err != nil {
			return nil, err
		}
		child, parent, err := parseStat(string(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		children[parent] = append(children[parent], child)
	}
	pids := []int{pid}
	for i := 0; i < len(pids); i++ {
		pids = append(pids, children[pids[i]]...)
	}
	return pids, nil
}

// parseStat returns the pid and the parent's pid from a line of /proc/PID/stat
// (proc_pid_stat(5)). The second field is the name in parentheses, which may
// itself hold spaces and parentheses.
func parseStat(line string) (pid, parent int, err error) {
	open, end := strings.IndexByte(line, '('), strings.LastIndexByte(line, ')')
	if open < 0 || end < open {
		return 0, 0, fmt.Errorf("no name in parentheses in %q", line)
	}
	fields := strings.Fields(line[end+1:])
	if len(fields) < 2 {
		return 0, 0, fmt.Errorf("no parent in %q", line)
	}
	if pid, err = strconv.Atoi(strings.TrimSpace(line[:open])); err != nil {
		return 0, 0, err
	}
	if parent, err = strconv.Atoi(fields[1]); err != nil {
		return 0, 0, err
	}
	return pid, parent, nil
}

// CPU returns the processor time, user and system, that the processes have used
// in all their threads, ended ones too. It reads the processes' clocks
// (clock_getcpuclockid(3)), which count nanoseconds; utime and stime of
// /proc/PID/stat are the same in steps of 10 ms.
func CPU(pids []int) (time.Duration, error) {
	var sum time.Duration
	for _, pid := range pids {
		// The clock of a process: its pid inverted, over three bits that say
		// "of all threads" and "scheduler's count" (linux/posix-timers.h).
		const scheduled = 2
		var t unix.Timespec
		if err := unix.ClockGettime(int32(^pid<<3|scheduled), &t); err != nil {
			return 0, fmt.Errorf("processor time of pid %d: %w", pid, err)
		}
		sum += time.Duration(t.Nano())
	}
	return sum, nil
}

// MachineCPU returns the processor time that all programs and the kernel have
// used since the machine started, and what the hypervisor has kept from it.
func MachineCPU() (time.Duration, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	return parseMachine(string(text))
}

// parseMachine reads the first line of /proc/stat (proc_stat(5)): user, nice,
// system, idle, iowait, irq, softirq, steal, in hundredths of a second.
func parseMachine(text string) (time.Duration, error) {
	line, _, _ := strings.Cut(text, "\n")
	fields := strings.Fields(line)
	if len(fields) < 9 || fields[0] != "cpu" {
		return 0, fmt.Errorf("first line of /proc/stat is %q", line)
	}
	var ticks int64
	for _, i := range []int{1, 2, 3, 6, 7, 8} {
		n, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("first line of /proc/stat: %w", err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil
}

// PeakMemory returns the sum of the largest resident sizes that the processes
// have had, in bytes. Memory that several share counts for each.
func PeakMemory(pids []int) (int64, error) {
	var sum int64
	for _, pid := range pids {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			return 0, err
		}
		peak, err := parsePeak(string(text))
		if err != nil {
			return 0, fmt.Errorf("pid %d: %w", pid, err)
		}
		sum += peak
	}
	return sum, nil
}

// parsePeak returns VmHWM of a /proc/PID/status (proc_pid_status(5)) in bytes.
func parsePeak(status string) (int64, error) {
	for line := range strings.Lines(status) {
		value, ok := strings.CutPrefix(line, "VmHWM:")
		if !ok {
			continue
		}
		kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 10, 64)
		if err != nil {
			return 0, err
		}
		return kib << 10, nil
	}
	return 0, errors.New("no VmHWM in /proc/PID/status")
}
