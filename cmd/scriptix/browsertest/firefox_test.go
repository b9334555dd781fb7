package browsertest_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// firefox is a headless Firefox that is driven over Marionette, the protocol that it speaks itself: a length, a colon and
// JSON over TCP.
type firefox struct {
	t    *testing.T
	conn net.Conn
	read *bufio.Reader
	next int
}

// startFirefox starts one with a profile of its own; it is killed when the test ends.
func startFirefox(t *testing.T) *firefox {
	t.Helper()
	program, err := exec.LookPath("firefox-esr")
	if err != nil {
		t.Skip("firefox-esr is not on this machine: apt-get install firefox-esr")
	}
	home := t.TempDir()
	profile := filepath.Join(home, "profile")
	require.NoError(t, os.Mkdir(profile, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(profile, "user.js"), []byte(`
user_pref("marionette.port", 0);
user_pref("app.update.disabledForTesting", true);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("toolkit.telemetry.reportingpolicy.firstRun", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("media.autoplay.default", 0);
user_pref("media.volume_scale", "0.0");
`), 0o600))
	cmd := exec.CommandContext(t.Context(), program, "--headless", "--marionette", "--no-remote", "--profile", profile)
	cmd.Env = append(os.Environ(), "HOME="+home, "MOZ_CRASHREPORTER_DISABLE=1")
	cmd.WaitDelay = 5 * time.Second
	require.NoError(t, cmd.Start())
	f := &firefox{t: t}
	t.Cleanup(func() {
		if f.conn != nil {
			_ = f.conn.Close()
		}
		_ = cmd.Process.Kill() // its content processes end with it
		_ = cmd.Wait()
	})
	var port string
	require.Eventually(t, func() bool {
		b, err := os.ReadFile(filepath.Join(profile, "MarionetteActivePort"))
		port = strings.TrimSpace(string(b))
		return err == nil && port != ""
	}, patience, 50*time.Millisecond, "Firefox did not say where it listens")
	f.conn, err = (&net.Dialer{}).DialContext(t.Context(), "tcp", "127.0.0.1:"+port)
	require.NoError(t, err)
	require.NoError(t, f.conn.SetDeadline(time.Now().Add(2*patience)))
	f.read = bufio.NewReader(f.conn)
	f.message() // its greeting
	f.call("WebDriver:NewSession", map[string]any{"capabilities": map[string]any{"alwaysMatch": map[string]any{"acceptInsecureCerts": true}}})
	return f
}

func (f *firefox) message() json.RawMessage {
	f.t.Helper()
	length, err := f.read.ReadString(':')
	require.NoError(f.t, err)
	n, err := strconv.Atoi(strings.TrimSuffix(length, ":"))
	require.NoError(f.t, err)
	b := make([]byte, n)
	_, err = io.ReadFull(f.read, b)
	require.NoError(f.t, err)
	return b
}

// call sends a command and returns its result.
func (f *firefox) call(command string, params any) json.RawMessage {
	f.t.Helper()
	f.next++
	b, err := json.Marshal([]any{0, f.next, command, params})
	require.NoError(f.t, err)
	_, err = fmt.Fprintf(f.conn, "%d:%s", len(b), b)
	require.NoError(f.t, err)
	var answer []json.RawMessage
	require.NoError(f.t, json.Unmarshal(f.message(), &answer))
	require.Len(f.t, answer, 4)
	require.JSONEq(f.t, "null", string(answer[2]), "%s: an error", command)
	return answer[3]
}

// eval returns what an expression is in the page.
func (f *firefox) eval(js string) any {
	f.t.Helper()
	var result struct {
		Value any `json:"value"`
	}
	require.NoError(f.t, json.Unmarshal(f.call("WebDriver:ExecuteScript", map[string]any{"script": "return (" + js + ")", "args": []any{}, "sandbox": nil}), &result))
	return result.Value
}

func (f *firefox) until(js string) {
	f.t.Helper()
	require.Eventually(f.t, func() bool { return f.eval(js) == true }, 30*time.Second, 50*time.Millisecond, "it never became true: %s", js)
}

// find returns an element's reference, for click and type.
func (f *firefox) find(selector string) string {
	f.t.Helper()
	var found struct {
		Value map[string]string `json:"value"`
	}
	require.NoError(f.t, json.Unmarshal(f.call("WebDriver:FindElement", map[string]any{"using": "css selector", "value": selector}), &found))
	for _, id := range found.Value {
		return id
	}
	f.t.Fatalf("no element %s", selector)
	return ""
}

func (f *firefox) click(selector string) {
	f.t.Helper()
	f.eval(`(document.querySelector(` + strconv.Quote(selector) + `).scrollIntoView({block: "center"}), true)`) // not under the bar
	f.call("WebDriver:ElementClick", map[string]any{"id": f.find(selector)})
}

func (f *firefox) typeInto(selector, text string) {
	f.t.Helper()
	f.call("WebDriver:ElementSendKeys", map[string]any{"id": f.find(selector), "text": text})
}

func TestFirefoxLoadsSearchesClicksAndFollows(t *testing.T) {
	t.Parallel()
	f := startFirefox(t)
	tr := meeting(t)
	tr.JobID = "firefox"
	f.call("WebDriver:Navigate", map[string]any{"url": "file://" + embedded(t, tr, "Planning")})
	f.until(`document.querySelector("audio").readyState >= 1 && document.documentElement.classList.contains("live")`)
	assert.InDelta(t, 22.244, f.eval(`document.querySelector("audio").duration`), 0.2)
	assert.InDelta(t, 8, f.eval(`document.querySelectorAll(".line").length`), 0)

	f.typeInto("#query", "the l")
	f.until(`document.querySelector("#count").textContent === "1 of 2"`)
	f.click("#next")
	f.until(`document.querySelector("#count").textContent === "2 of 2"`)

	f.click("#l4 a.time")
	f.until(`Math.abs(document.querySelector("audio").currentTime - 7.968) < 0.01 && document.querySelector(".line.now")?.id === "l4"`)
	f.click("#l2 .w:nth-of-type(4)")
	f.until(`document.querySelector(".w.on")?.textContent === "recordings"`)

	f.eval(`(document.querySelector("audio").playbackRate = 4, document.querySelector("audio").muted = true, document.querySelector("audio").play(), true)`)
	f.until(`+(document.querySelector(".line.now")?.id ?? "l0").slice(1) > 3`)
	f.eval(`(document.querySelector("audio").pause(), true)`)

	f.eval(`(document.querySelector("#out").open = true)`)
	f.typeInto("#people input", "Ana")
	f.until(`document.querySelector(".who").textContent === "Ana"`)
	f.call("WebDriver:Refresh", map[string]any{})
	f.until(`document.querySelector(".who")?.textContent === "Ana"`)
}
