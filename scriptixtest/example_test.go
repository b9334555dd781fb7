package scriptixtest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

// A test uses New, which closes the service itself; a program uses Start.
func ExampleStart() {
	fake, err := scriptixtest.Start(scriptixtest.InMemory())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer fake.Close()
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, fake.URL()+"/api/v3/stt/stt_1/status", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	res, err := fake.HTTPClient().Do(r)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	fmt.Println(res.StatusCode, string(body))
	// Output: 401 {"error":"Unauthorized","message":"The API key is missing: send Authorization: Bearer <API key>.","error_code":"MISSING_API_KEY"}
}

// Give your tests a service that behaves, and the client the URL, key and HTTP client of it.
func ExampleNew() {
	var t scriptixtest.TB // the *testing.T of a test
	test := func() {
		fake := scriptixtest.New(t, scriptixtest.InMemory())
		_, _, _ = fake.URL(), fake.APIKey(), fake.HTTPClient()
	}
	_ = test
}

// Script says what is in each recording, and what goes wrong with it.
func ExampleServer_Script() {
	fake, err := scriptixtest.Start(scriptixtest.InMemory())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer fake.Close()
	fake.Script(func(u scriptixtest.Upload) scriptixtest.Outcome {
		if u.FileName == "silence.mp3" {
			return scriptixtest.Outcome{Failure: "no speech found"}
		}
		return scriptixtest.Outcome{
			Processing: -1, // at once
			Duration:   5 * time.Second,
			Text:       "Speaker 1: Shall we begin?\nSpeaker 2: Yes.",
		}
	})

	form := "--b\r\nContent-Disposition: form-data; name=\"language\"\r\n\r\nen\r\n" +
		"--b\r\nContent-Disposition: form-data; name=\"audio_file\"; filename=\"a.mp3\"\r\n\r\nID3\r\n--b--\r\n"
	call := func(method, path, body string, answer any) {
		r, _ := http.NewRequestWithContext(context.Background(), method, fake.URL()+path, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+fake.APIKey())
		r.Header.Set("Content-Type", "multipart/form-data; boundary=b")
		res, err := fake.HTTPClient().Do(r)
		if err != nil {
			fmt.Println(err)
			return
		}
		defer res.Body.Close()
		_ = json.NewDecoder(res.Body).Decode(answer)
	}
	var job struct{ ID string }
	call(http.MethodPost, "/api/v3/stt", form, &job)
	var result struct{ Transcript string }
	call(http.MethodGet, "/api/v3/stt/"+job.ID+"/result", "", &result)
	fmt.Println(result.Transcript)
	// Output: Shall we begin? Yes.
}
