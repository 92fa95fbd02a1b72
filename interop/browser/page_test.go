//go:build interop

package browser

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/flowrepro/flow/serve"
	"github.com/flowrepro/flow/stages/features"
	"github.com/flowrepro/flow/stages/model"
	"github.com/flowrepro/flow/stages/text"
)

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// browser returns the executable, or skips the test.
func browser(t *testing.T) string {
	t.Helper()
	names := []string{"chromium", "chromium-browser"}
	if given := os.Getenv("FLOW_TEST_CHROMIUM"); given != "" {
		names = []string{given}
	}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("no Chromium; FLOW_TEST_CHROMIUM names it")
	}
	t.Skip("no Chromium; FLOW_TEST_CHROMIUM names it")
	return ""
}

// weights are the terms of the model of the test, times sign.
var weights = map[string]float64{
	"awful": -2.1, "bad": -1.4, "boring": -1.6, "dull": -1.2, "not good": -2.4, "waste": -1.9, "worst": -2.3, "alert": -0.4,
	"charming": 1.1, "good": 0.9, "great": 1.5, "love": 1.2, "moving": 1.0, "superb": 1.9, "wonderful": 1.8, "masterpiece": 1.7,
}

func write(t *testing.T, dir string, sign float64) {
	t.Helper()
	var terms []string
	for term := range weights {
		terms = append(terms, term)
	}
	table, err := features.NewTable(terms)
	check(t, err)
	c := features.DefaultConfig()
	c.NgramRange = [2]int{1, 2}
	v, err := features.New(c, table, nil)
	check(t, err)
	union, err := features.NewUnion(features.Part{Name: "terms", Vectorizer: v})
	check(t, err)
	coef := make([]float64, table.Len())
	for i := range coef {
		coef[i] = sign * weights[table.Term(int32(i))]
	}
	_, err = model.Write(context.Background(), dir, model.Parts{
		Features: model.Features{Cleaning: text.Options{Markup: true, Lowercase: true, Punctuation: true}, Union: union},
		Classes:  [2]string{"negative", "positive"}, Coef: coef, Intercept: 0.1, Example: "Not good.",
	})
	check(t, err)
}

// tab is a page in the browser beside a server.
type tab struct {
	t    *testing.T
	ctx  context.Context
	url  string
	dir  string
	s    *serve.Server
	mu   sync.Mutex
	said []string // errors of the console
}

func open(t *testing.T) *tab {
	t.Helper()
	executable := browser(t)
	p := &tab{t: t, dir: filepath.Join(t.TempDir(), "sentiment")}
	write(t, p.dir, 1)
	s, err := serve.New(context.Background(), serve.Options{Model: serve.Directory(p.dir), Address: "127.0.0.1:0", Poll: -1})
	check(t, err)
	check(t, s.Listen(context.Background()))
	serving, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(serving, nil) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	public, _ := s.Addr()
	p.s, p.url = s, "http://"+public.String()

	flags := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(executable), chromedp.UserDataDir(t.TempDir()), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true))
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), flags...)
	t.Cleanup(cancel)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(cancel)
	p.ctx = ctx
	check(t, chromedp.Listen(ctx, func(event any) {
		p.mu.Lock()
		defer p.mu.Unlock()
		switch e := event.(type) {
		case *runtime.EventExceptionThrown:
			p.said = append(p.said, e.ExceptionDetails.Text)
		case *log.EventEntryAdded:
			p.said = append(p.said, e.Entry.Text)
		case *network.EventRequestWillBeSent:
			if u := e.Request.URL; !strings.HasPrefix(u, p.url) && !strings.HasPrefix(u, "data:") {
				p.said = append(p.said, "a request to "+u)
			}
		case *page.EventJavascriptDialogOpening:
			p.said = append(p.said, "a dialog: "+e.Message)
		}
	}))
	p.run(call(network.Enable, network.EnableParams{}), call(log.Enable, cdp.Empty{}))
	return p
}

func (p *tab) run(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, actions...); err != nil {
		p.t.Fatalf("%v; the console: %v", err, p.console())
	}
}

// look sets the size and the colours of the screen.
func (p *tab) look(width, height int64, scheme string) {
	p.t.Helper()
	p.run(call(emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: 1, Mobile: width < 500}),
		call(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}))
}

func (p *tab) text(selector string) string {
	p.t.Helper()
	return get(p, chromedp.Text(chromedp.CSS(selector)))
}

// get returns what an action does, value what an expression of the page is.
func get[T any](p *tab, action chromedp.Action[T]) T {
	p.t.Helper()
	result, err := chromedp.Run(p.ctx, action)
	if err != nil {
		p.t.Fatalf("%v; the console: %v", err, p.console())
	}
	return result
}

func value[T any](p *tab, expression string) T {
	p.t.Helper()
	return get(p, chromedp.Evaluate[T](expression))
}

// call is a command of the protocol.
func call[P, R any](command cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, command, params)
		return err
	})
}

// judge types a review, sends it and waits for the verdict.
func (p *tab) judge(review, verdict string) {
	p.t.Helper()
	value[string](p, `document.getElementById("text").value = ""`)
	p.run(chromedp.SendKeys(chromedp.CSS("#text"), review), chromedp.Click(chromedp.CSS("#send")))
	p.verdict(verdict)
}

func (p *tab) verdict(want string) {
	p.t.Helper()
	get(p, chromedp.Poll[bool](fmt.Sprintf(`document.getElementById("verdict")?.textContent === %q`, want), chromedp.WithPollingTimeout(10*time.Second)))
}

// shot keeps a screenshot of the whole page and makes sure that nothing sticks
// out of its sides.
func (p *tab) shot(name string) {
	p.t.Helper()
	over := value[float64](p, `document.documentElement.scrollWidth - document.documentElement.clientWidth`)
	data := get(p, chromedp.FullScreenshot(100))
	if over > 0 {
		p.t.Errorf("%s: the page is %v pixels wider than the screen", name, over)
	}
	dir := os.Getenv("FLOW_TEST_SCREENSHOTS")
	if dir == "" {
		return
	}
	check(p.t, os.MkdirAll(dir, 0o777))
	check(p.t, os.WriteFile(filepath.Join(dir, name+".png"), data, 0o666))
}

func (p *tab) console() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.said
}

func (p *tab) quiet() {
	p.t.Helper()
	if said := p.console(); len(said) > 0 {
		p.t.Errorf("the console: %v", said)
	}
}

const (
	praise = "A wonderful, moving film. I love how charming the cast is; a great evening and a masterpiece of its kind, even if the middle is a little dull."
	blame  = "What a waste of time: boring from start to finish, the worst script in years. The one good scene is not good enough."
)

func TestPage(t *testing.T) {
	p := open(t)
	p.look(1100, 800, "light")
	p.run(chromedp.Navigate(p.url))
	if title := get(p, chromedp.Title()); title != "Sentiment Analysis" {
		t.Errorf("title %q", title)
	}
	p.shot("empty-desktop-light")
	p.judge(praise, "Positive")
	if c := p.text("#confidence"); !strings.HasSuffix(c, "% confidence") || c < "95" {
		t.Errorf("confidence %q", c)
	}
	if words := p.text("#words"); !strings.Contains(words, "wonderful") || !strings.Contains(words, "+1.80") || !strings.Contains(words, "dull") {
		t.Errorf("words %q", words)
	}
	review := value[string](p, `document.querySelector(".review").textContent`)
	if review != praise {
		t.Errorf("the review is shown as %q", review)
	}
	marked := value[[]string](p, `[...document.querySelectorAll(".review mark.n")].map(m => m.textContent)`)
	if strings.Join(marked, " ") != "dull" {
		t.Errorf("marked as negative: %v", marked)
	}
	live := value[string](p, `document.getElementById("result").getAttribute("aria-live")`)
	if live != "polite" {
		t.Errorf("aria-live %q", live)
	}
	p.shot("positive-desktop-light")
	p.look(1100, 800, "dark")
	p.shot("positive-desktop-dark")
	p.judge(blame, "Negative")
	p.shot("negative-desktop-dark")
	p.look(375, 740, "light")
	p.shot("negative-phone-light")
	p.look(375, 740, "dark")
	p.judge(praise, "Positive")
	p.shot("positive-phone-dark")
	p.run(chromedp.Navigate(p.url + "/docs"))
	p.shot("docs-phone-dark")
	p.look(1100, 800, "light")
	value[bool](p, `document.querySelectorAll("details")[1].open = true`)
	p.shot("docs-desktop-light")
	p.quiet()
}

// Contrast is at least what WCAG asks of text, 4.5, in both schemes.
func TestContrast(t *testing.T) {
	p := open(t)
	const measure = `(() => {
		const channels = c => c.match(/[\d.]+/g).map(Number);
		const light = c => { const [r, g, b] = channels(c).map(x => (x /= 255) <= .03928 ? x / 12.92 : ((x + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b; };
		const ground = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor; if ((channels(c)[3] ?? 1) > 0) return c; } return "rgb(255,255,255)"; };
		const low = [];
		for (const e of document.querySelectorAll("h1, h2, p, label, textarea, button, mark, .soft, a")) {
			const [a, b] = [light(getComputedStyle(e).color), light(ground(e))].sort((x, y) => y - x);
			const ratio = (a + .05) / (b + .05);
			if (ratio < 4.5) low.push(e.tagName + "." + e.className + " " + ratio.toFixed(2));
		}
		return low;
	})()`
	for _, scheme := range []string{"light", "dark"} {
		p.look(1100, 800, scheme)
		for review, verdict := range map[string]string{praise: "Positive", blame: "Negative"} {
			p.run(chromedp.Navigate(p.url))
			p.judge(review, verdict)
			low := value[[]string](p, measure)
			if len(low) > 0 {
				t.Errorf("%s: too little contrast: %v", scheme, low)
			}
		}
	}
}

// Everything can be done by the keyboard.
func TestKeyboard(t *testing.T) {
	p := open(t)
	p.look(1100, 800, "light")
	focused := func(want string) {
		t.Helper()
		id := value[string](p, `document.activeElement.id || document.activeElement.className || document.activeElement.tagName`)
		if id != want {
			t.Fatalf("the focus is on %q, want %q", id, want)
		}
	}
	p.run(chromedp.Navigate(p.url), chromedp.KeyEvent(kb.Tab))
	focused("text")
	p.run(chromedp.KeyEvent("A superb film"), chromedp.KeyEvent(kb.Tab))
	focused("send")
	p.shot("focus-desktop-light")
	p.run(chromedp.KeyEvent(kb.Enter))
	p.verdict("Positive")
	p.run(chromedp.Focus(chromedp.CSS("#text")), chromedp.KeyEvent(", not good at all, awful and bad"), chromedp.KeyEvent("\r", chromedp.KeyModifiers(2)))
	p.verdict("Negative")
	p.run(chromedp.KeyEvent(kb.Tab))
	focused("send")
	p.run(chromedp.KeyEvent(kb.Tab))
	focused("review") // which may have to be scrolled
	p.quiet()
}

// A text is shown and never obeyed.
func TestHostileText(t *testing.T) {
	p := open(t)
	p.look(375, 740, "light")
	hostile := `Great </textarea></div><script>alert("bad")</script><img src=x onerror=alert(1)> "'><b>superb</b> &lt;i&gt; {{.}} ` + strings.Repeat("x", 300)
	for _, script := range []bool{true, false} {
		p.run(call(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !script}), chromedp.Navigate(p.url))
		p.run(chromedp.SendKeys(chromedp.CSS("#text"), hostile), chromedp.Click(chromedp.CSS("#send")), chromedp.WaitVisible(chromedp.CSS("#verdict")))
		p.run(call(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: false}))
		shown := value[string](p, `document.querySelector(".review").textContent`)
		if shown != hostile {
			t.Errorf("the review is shown as %q", shown)
		}
		foreign := value[int](p, `document.querySelectorAll("img, .result b, .result script, .result i").length`)
		if foreign != 0 {
			t.Errorf("%d elements are the text's", foreign)
		}
		kept := value[string](p, `document.getElementById("text").value`)
		if kept != hostile {
			t.Errorf("the field has %q", kept)
		}
		p.shot(fmt.Sprintf("hostile-phone-script-%v", script))
	}
	p.quiet()
}

func TestLongText(t *testing.T) {
	p := open(t)
	p.look(1100, 800, "light")
	p.run(chromedp.Navigate(p.url))
	long := strings.Repeat(praise+" "+blame+"\n\n", 50_000/(len(praise)+len(blame)+3)+1)
	p.run(chromedp.SetValue(chromedp.CSS("#text"), long), chromedp.Click(chromedp.CSS("#send")), chromedp.WaitVisible(chromedp.CSS("#verdict")))
	same := value[bool](p, `document.querySelector(".review").textContent === document.getElementById("text").value`)
	if !same {
		t.Error("the review is not shown whole")
	}
	p.shot("long-desktop-light")
	p.quiet()
	// More than the limit is said so, and the text is not lost.
	p.run(chromedp.SetValue(chromedp.CSS("#text"), strings.Repeat("good ", 30_000)), chromedp.Click(chromedp.CSS("#send")), chromedp.WaitVisible(chromedp.CSS(".fault")))
	if said := p.text(".fault"); !strings.Contains(said, "the limit is 100000") {
		t.Errorf("said: %q", said)
	}
	kept := value[int](p, `document.getElementById("text").value.length`)
	if kept != 150_000 {
		t.Errorf("%d characters are left", kept)
	}
}

// The model is exchanged while the page is open; and the server ends.
func TestReload(t *testing.T) {
	p := open(t)
	p.look(1100, 800, "light")
	p.run(chromedp.Navigate(p.url))
	p.judge(praise, "Positive")
	before := p.text("#model")
	write(t, p.dir, -1)
	changed, err := p.s.Reload(context.Background())
	check(t, err)
	if !changed {
		t.Fatal("nothing was loaded")
	}
	p.run(chromedp.Click(chromedp.CSS("#send")))
	p.verdict("Negative")
	if after := p.text("#model"); after == before || !strings.HasPrefix(after, "Model sentiment, version ") {
		t.Errorf("the page says %q after %q", after, before)
	}
	a, err := http.Get(p.url + "/metrics")
	check(t, err)
	a.Body.Close()
	p.quiet()
}
