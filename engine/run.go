package engine

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// Result sums up a run.
type Result struct {
	// Stages holds the outcome of each stage taken, in the plan's order.
	Stages []StageResult
	// Interrupted is set when the run was stopped before its end.
	Interrupted bool
	Duration    time.Duration
}

// StageResult is the outcome of one stage.
type StageResult struct {
	Stage    string        `json:"stage"`
	State    State         `json:"state"`
	Reasons  []Reason      `json:"reasons,omitempty"`
	Duration time.Duration `json:"duration_ns,omitempty"`
	Err      error         `json:"-"`
}

// Count returns how many stages ended in the state.
func (r *Result) Count(s State) int {
	k := 0
	for i := range r.Stages {
		if r.Stages[i].State == s {
			k++
		}
	}
	return k
}

// Changed reports whether any stage did something.
func (r *Result) Changed() bool {
	for i := range r.Stages {
		if s := r.Stages[i].State; s != Skipped && s != Waiting {
			return true
		}
	}
	return false
}

// reproduction is one run in progress. Everything in it is guarded by mu.
//
// A stage enters the ready heap when the last stage it needs is final, and
// workers take the ready stage that comes first in the plan. So decisions are
// made in the plan's order as far as the graph allows, whatever the speed of
// the commands.
type reproduction struct {
	e   *Engine
	req *Request
	sel *selection

	mu      sync.Mutex
	wake    *sync.Cond
	place   map[int]int   // node -> place in the plan
	pending map[int]int   // stages a stage still waits for
	waiters map[int][]int // node -> stages that wait for it
	ready   placeHeap
	results []StageResult
	forced  map[int]bool // by force-downstream
	left    int          // stages that are not final
	stop    bool         // take no more stages
	began   map[int]time.Time
}

// Repro reproduces the stages of the request. The result is complete also when
// an error is returned. Errors of several stages are joined in the plan's
// order; each is a *StageError. When ctx is cancelled, running commands are
// stopped, finished stages stay recorded and the error is ctx's.
func (e *Engine) Repro(ctx context.Context, req Request) (*Result, error) {
	if err := errors.Join(e.graphErr...); err != nil {
		return nil, err
	}
	sel, err := e.take(&req)
	if err != nil {
		return nil, err
	}
	if req.Dry {
		return e.dryRun(ctx, &req, sel)
	}
	start := time.Now()
	r := newReproduction(e, &req, sel)
	e.emit(Event{Kind: RunStarted, Total: int64(len(sel.order))})
	done, err := e.using(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	defer e.section.drop()
	// One worker more than commands may run: it decides and records stages
	// while the commands of others keep the processors busy.
	jobs := min(req.jobs(), max(len(sel.order), 1))
	req.slots, req.stopped = make(chan struct{}, jobs), r.stopped
	if jobs > 1 {
		jobs++
	}
	var wg sync.WaitGroup
	stopWaking := context.AfterFunc(ctx, func() {
		r.mu.Lock()
		r.stop = true
		r.mu.Unlock()
		r.wake.Broadcast()
	})
	for w := range jobs {
		wg.Add(1)
		go func() {
			defer wg.Done()
			r.work(ctx, w)
		}()
	}
	wg.Wait()
	stopWaking()
	flushErr := e.locks.flush(true)
	if err := e.opt.Project.ReleasePaths(); err != nil {
		e.warn(nil, err.Error(), "")
	}
	res := &Result{Stages: r.results, Duration: time.Since(start), Interrupted: ctx.Err() != nil}
	e.emit(Event{Kind: RunFinished, Total: int64(len(r.results)), Duration: res.Duration})
	if ctx.Err() != nil {
		return res, errors.Join(ctx.Err(), flushErr)
	}
	return res, errors.Join(r.failure(), flushErr)
}

func newReproduction(e *Engine, req *Request, sel *selection) *reproduction {
	r := &reproduction{
		e: e, req: req, sel: sel,
		place: map[int]int{}, pending: map[int]int{}, waiters: map[int][]int{},
		forced: map[int]bool{}, began: map[int]time.Time{}, left: len(sel.order),
		results: make([]StageResult, len(sel.order)),
	}
	r.wake = sync.NewCond(&r.mu)
	for p, i := range sel.order {
		r.place[i] = p
		r.results[p] = StageResult{Stage: e.nodes[i].name, State: Waiting}
	}
	for p, i := range sel.order {
		r.pending[i] = len(sel.needs[i])
		for _, need := range sel.needs[i] {
			r.waiters[need] = append(r.waiters[need], i)
		}
		if r.pending[i] == 0 {
			r.ready = append(r.ready, p)
		}
	}
	heap.Init(&r.ready)
	return r
}

// work takes ready stages until none can come any more.
func (r *reproduction) work(ctx context.Context, worker int) {
	for {
		r.mu.Lock()
		for len(r.ready) == 0 && r.left > 0 && !r.stop {
			r.wake.Wait()
		}
		if r.stop || r.left == 0 || ctx.Err() != nil {
			r.mu.Unlock()
			r.wake.Broadcast()
			return
		}
		i := r.sel.order[heap.Pop(&r.ready).(int)]
		force := r.req.Force || r.forced[i]
		r.began[i] = time.Now()
		r.mu.Unlock()

		state, reasons, err := r.handle(ctx, i, worker, force)
		r.finish(ctx, i, state, reasons, err)
	}
}

// errStopped says that a stage was not begun because the run is ending.
var errStopped = errors.New("the run is ending")

func (r *reproduction) stopped() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stop
}

// handle decides one stage and does what was decided.
func (r *reproduction) handle(ctx context.Context, i, worker int, force bool) (State, []Reason, error) {
	e, n := r.e, r.e.nodes[i]
	n.worker = worker
	if err := e.section.enter(ctx); err != nil {
		return Failed, nil, err
	}
	defer e.section.leave()
	e.setState(n, Deciding, nil, nil, 0)
	for {
		v, err := e.decide(ctx, n, r.req, force)
		if err != nil {
			return Failed, nil, err
		}
		if v.action == doRun && r.req.Confirm != nil && !r.req.Confirm(n.name) {
			return Failed, v.reasons, errors.New("reproduction aborted by the user")
		}
		state, err := e.perform(ctx, n, r.req, v)
		if errors.Is(err, errAgain) {
			if err := e.refresh(n); err != nil {
				return Failed, v.reasons, err
			}
			continue
		}
		if err != nil {
			return Failed, v.reasons, err
		}
		return state, v.reasons, nil
	}
}

// refresh forgets what is known of a stage's paths and reads its lock again.
func (e *Engine) refresh(n *node) error {
	for _, d := range n.Deps {
		e.ws.forget(e.abs(d.Path))
	}
	for _, o := range n.Outs {
		e.ws.forget(e.abs(o.Path))
	}
	return e.locks.refresh(n)
}

// finish makes a stage final and its dependents ready, or blocked.
func (r *reproduction) finish(ctx context.Context, i int, state State, reasons []Reason, err error) {
	n := r.e.nodes[i]
	r.mu.Lock()
	defer r.mu.Unlock()
	defer r.wake.Broadcast()
	took := time.Since(r.began[i])
	res := &r.results[r.place[i]]
	if err != nil && (ctx.Err() != nil || errors.Is(err, errStopped)) {
		// Stopped, not failed: the next run starts it afresh.
		r.stop = true
		res.State = Waiting
		r.e.setState(n, Waiting, nil, nil, took)
		return
	}
	res.State, res.Reasons, res.Duration, res.Err = state, reasons, took, err
	r.e.setState(n, state, reasons, err, took)
	r.left--
	if err != nil && !r.req.IgnoreErrors {
		if !r.req.KeepGoing {
			r.stop = true
			return
		}
		r.block(i, err)
		return
	}
	if err != nil {
		r.e.warn(n, err.Error()+" (ignored)", "")
	}
	for _, w := range r.waiters[i] {
		if state == Done && r.req.ForceDownstream {
			r.forced[w] = true
		}
		if r.pending[w]--; r.pending[w] == 0 && r.results[r.place[w]].State == Waiting {
			heap.Push(&r.ready, r.place[w])
		}
	}
}

// block makes everything that needs a failed stage final.
func (r *reproduction) block(i int, err error) {
	var names []string
	todo := append([]int(nil), r.waiters[i]...)
	blocked := map[int]bool{}
	for len(todo) > 0 {
		w := todo[0]
		todo = todo[1:]
		if r.results[r.place[w]].State != Waiting || blocked[w] {
			continue
		}
		blocked[w] = true
		todo = append(todo, r.waiters[w]...)
	}
	for _, w := range r.sel.order {
		if !blocked[w] {
			continue
		}
		n := r.e.nodes[w]
		r.results[r.place[w]].State = Blocked
		r.left--
		r.e.setState(n, Blocked, nil, nil, 0)
		names = append(names, "'"+n.name+"'")
	}
	n := r.e.nodes[i]
	r.e.warn(n, err.Error(), "")
	switch len(names) {
	case 0:
	case 1:
		r.e.warn(n, fmt.Sprintf("Stage %s will be skipped due to this failure", names[0]), "")
	default:
		r.e.warn(n, fmt.Sprintf("Stages %s and %s will be skipped due to this failure",
			strings.Join(names[:len(names)-1], ", "), names[len(names)-1]), "")
	}
}

// failure joins the errors of failed stages in the plan's order.
func (r *reproduction) failure() error {
	if r.req.IgnoreErrors {
		return nil
	}
	var errs []error
	for p := range r.results {
		if err := r.results[p].Err; err != nil {
			errs = append(errs, &StageError{Stage: r.results[p].Stage, Err: err})
		}
	}
	return errors.Join(errs...)
}

// setState is the only way a stage changes state: it emits the event.
func (e *Engine) setState(n *node, s State, reasons []Reason, err error, took time.Duration) {
	ev := Event{Kind: StateChanged, Stage: n.name, Index: n.place, Worker: n.worker, State: s, Reasons: reasons,
		Duration: took, Data: n.IsData(), Frozen: n.Frozen}
	if err != nil {
		ev.Err, ev.Error = err, err.Error()
	}
	e.emit(ev)
}

// placeHeap orders ready stages by their place in the plan.
type placeHeap []int

func (h placeHeap) Len() int           { return len(h) }
func (h placeHeap) Less(i, j int) bool { return h[i] < h[j] }
func (h placeHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *placeHeap) Push(x any)        { *h = append(*h, x.(int)) }
func (h *placeHeap) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}
