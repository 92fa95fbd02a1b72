// Package cmd is flow's command line: one verb a file, the wiring of projects,
// caches and engines, what is printed, and the exit codes.
//
// Its only exported names are Main and Run, so that a team can build its own
// flow, with its own stage functions, in a program of ten lines:
//
//	func main() {
//		stages := builtin.Stages()
//		stages.Add(mine)
//		cmd.Main(stages)
//	}
//
// Exit codes: 0 success; 1 the command failed or, where it was asked to check,
// something is not up to date; 251 faulty configuration; 252 interrupted; 253
// not inside a project; 254 wrong arguments; 255 the pipeline is faulty or a
// stage failed. They are DVC's.
package cmd
