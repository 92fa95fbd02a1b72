// Package interop holds the tests of flow beside a real DVC: DVC accepts as up
// to date what flow wrote, and flow what DVC wrote, byte for byte.
//
// The tests have the build tag interop, so that `go test ./...` leaves them
// out; interop/run runs them. FLOW_TEST_DVC names DVC's executable and
// FLOW_TEST_FLOW flow's, which is built when there is none. The packages below
// are beside other peers; interop/run says what names each of them.
//
// Each archive in testdata is the shape of a project. It is set up twice, one
// copy for each tool, and brought through the same life: repro, edits with
// another repro after each, status, a checkout of removed outputs by the other
// tool, and a repro without its lock file. Whatever the tools leave behind must
// be the same: dvc.lock, .dvc files, outputs, modes, the cache with its run
// cache, .gitignore files and what Git says.
//
// In an archive, files named .sh do not belong to the project. prepare.sh runs
// before the first repro, each step-N.sh before another one; $TOOL is the tool
// whose turn it is. The comment describes the shape and may end in directives:
//
//	order: any           stages do not depend on each other: the order of
//	                     entries in dvc.lock and .gitignore is left open
//	reruns: a b          stages that run although nothing changed
//	status: changed      status reports something even after a repro
//	lost lock: fails     a repro without a lock file is not to be tried
//	only dvc: pattern    one file that DVC writes, and flow has reason not to
package interop
