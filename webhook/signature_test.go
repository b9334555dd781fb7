package webhook_test

import (
	"bytes"
	"crypto/sha256"
	"encoding"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"log/slog"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode"

	"github.com/scriptix-io/scriptix-go/webhook"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const secret = "whsec_test_0123456789abcdef"

type vector struct {
	Name      string
	Secrets   []string
	Payload   string `json:"payload_base64"`
	Signature string
	Valid     bool
	Error     string
}

func (v vector) payload(tb testing.TB) []byte {
	tb.Helper()
	p, err := base64.StdEncoding.DecodeString(v.Payload)
	require.NoError(tb, err)
	return p
}

func (v vector) wantErr(tb testing.TB) error {
	tb.Helper()
	if v.Valid {
		return nil
	}
	err := map[string]error{
		"mismatch":  webhook.ErrMismatch,
		"missing":   webhook.ErrNoSignature,
		"malformed": webhook.ErrMalformedSignature,
		"secret":    webhook.ErrNoSecret,
	}[v.Error]
	require.Error(tb, err, "the vector's error is unknown to this test")
	return err
}

func vectors(tb testing.TB) []vector {
	tb.Helper()
	raw, err := os.ReadFile("testdata/webhook-signatures.json")
	require.NoError(tb, err)
	var file struct{ Cases []vector }
	require.NoError(tb, json.Unmarshal(raw, &file))
	require.Len(tb, file.Cases, 27)
	return file.Cases
}

func TestVerifyPassesTheIndependentVectors(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			payload, want := v.payload(t), v.wantErr(t)

			require.ErrorIs(t, webhook.Verify(payload, v.Signature, v.Secrets...), want)

			verifier, err := webhook.NewVerifier(v.Secrets...)
			if errors.Is(want, webhook.ErrNoSecret) {
				require.ErrorIs(t, err, webhook.ErrNoSecret)
				require.Nil(t, verifier)
				return
			}
			require.NoError(t, err)
			require.ErrorIs(t, verifier.Verify(payload, v.Signature), want)
		})
	}
}

func TestSignMakesTheSignaturesOfTheVectors(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t) {
		// The others hold several signatures, or one in another spelling.
		if v.Valid && strings.HasPrefix(v.Signature, "sha256=") && len(v.Secrets) == 1 && !strings.ContainsAny(v.Signature, "ABCDEF,") {
			assert.Equal(t, v.Signature, webhook.Sign(v.Secrets[0], v.payload(t)), v.Name)
		}
	}
}

func TestVerifyLooksAtABoundedNumberOfSignatures(t *testing.T) {
	t.Parallel()
	payload := []byte(`{"event":"ping"}`)
	right, wrong := webhook.Sign(secret, payload), webhook.Sign("another", payload)
	for _, c := range []struct {
		name      string
		signature string
		want      error
	}{
		{"the sixteenth signature is looked at", strings.Repeat(wrong+",", 15) + right, nil},
		{"the seventeenth is not", strings.Repeat(wrong+",", 16) + right, webhook.ErrMismatch},
		{"garbage does not count", strings.Repeat("v1=x, ,", 500) + right, nil},
		{"the longest value", strings.Repeat(" ", 4096-len(right)) + right, nil},
		{"one byte too many", strings.Repeat(" ", 4097-len(right)) + right, webhook.ErrMalformedSignature},
		{"thousands", strings.Repeat(right+",", 5000), webhook.ErrMalformedSignature},
		{"commas alone", ",,,", webhook.ErrMalformedSignature},
		{"blanks alone", " \t ", webhook.ErrNoSignature},
		{"a comma at the end", right + ",", nil},
		{"tabs and blanks around each", "\t" + wrong + " ,\t " + right + "\t", nil},
		{"a blank behind the equals sign", strings.Replace(right, "=", "= ", 1), webhook.ErrMalformedSignature},
		{"another spelling of the algorithm", strings.Replace(right, "sha256", "SHA256", 1), webhook.ErrMalformedSignature},
		{"semicolons", wrong + ";" + right, webhook.ErrMalformedSignature},
		{"the right digits but the last", right[:len(right)-1] + flip(right[len(right)-1]), webhook.ErrMismatch},
		{"the right digits but the first", "sha256=" + flip(right[7]) + right[8:], webhook.ErrMismatch},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			require.ErrorIs(t, webhook.Verify(payload, c.signature, secret), c.want)
		})
	}
}

func flip(digit byte) string {
	if digit == '0' {
		return "1"
	}
	return "0"
}

func TestAnyOfTheSecretsIsEnough(t *testing.T) {
	t.Parallel()
	payload := []byte(`{"event":"ping"}`)
	secrets := []string{"first", "second", "third"}
	v, err := webhook.NewVerifier(secrets...)
	require.NoError(t, err)
	for _, s := range secrets {
		require.NoError(t, v.Verify(payload, webhook.Sign(s, payload)), s)
	}
	require.ErrorIs(t, v.Verify(payload, webhook.Sign("fourth", payload)), webhook.ErrMismatch)
}

func TestAnEmptyOrBlankSecretIsRefusedEverywhere(t *testing.T) {
	t.Parallel()
	payload := []byte(`{}`)
	for _, secrets := range [][]string{nil, {}, {""}, {" \t\n"}, {"\u00a0"}, {secret, ""}, {" ", secret}} {
		t.Run(fmt.Sprintf("%q", secrets), func(t *testing.T) {
			t.Parallel()
			// Signed with the right secret and with the empty one: neither helps.
			for _, s := range []string{secret, ""} {
				require.ErrorIs(t, webhook.Verify(payload, webhook.Sign(s, payload), secrets...), webhook.ErrNoSecret)
			}
			_, err := webhook.NewVerifier(secrets...)
			require.ErrorIs(t, err, webhook.ErrNoSecret)
			_, err = webhook.NewHandler(accept, secrets)
			require.ErrorIs(t, err, webhook.ErrNoSecret)
		})
	}
	var none *webhook.Verifier
	require.ErrorIs(t, none.Verify(payload, webhook.Sign("", payload)), webhook.ErrNoSecret)
	require.ErrorIs(t, new(webhook.Verifier).Verify(payload, webhook.Sign("", payload)), webhook.ErrNoSecret)
}

func TestVerifierAgreesWithSignForEveryLength(t *testing.T) {
	t.Parallel()
	for _, keyLength := range []int{1, 13, 63, 64, 65, 200} {
		s := strings.Repeat("k", keyLength)
		v, err := webhook.NewVerifier(s)
		require.NoError(t, err)
		for n := range 10 * sha256.BlockSize {
			payload := bytes.Repeat([]byte{0xa5}, n)
			require.NoError(t, v.Verify(payload, webhook.Sign(s, payload)), "secret of %d bytes, payload of %d", keyLength, n)
			require.ErrorIs(t, v.Verify(append(payload, 0), webhook.Sign(s, payload)), webhook.ErrMismatch)
		}
	}
	large := make([]byte, 1<<20)
	require.NoError(t, webhook.Verify(large, webhook.Sign(secret, large), secret))
}

// The hashes that a future Go might bring: each must only cost speed.
func TestVerifierIsRightWhereTheHashKeepsItsStateOtherwise(t *testing.T) {
	t.Parallel()
	for name, newHash := range map[string]func() hash.Hash{
		"no state to be had":           func() hash.Hash { return struct{ hash.Hash }{sha256.New()} },
		"another layout":               func() hash.Hash { return strange{Hash: sha256.New(), prefix: "v2:"} },
		"a short state":                func() hash.Hash { return strange{Hash: sha256.New(), short: true} },
		"states cannot be saved":       func() hash.Hash { return strange{Hash: sha256.New(), noSave: true} },
		"states cannot be taken up":    func() hash.Hash { return strange{Hash: sha256.New(), noResume: new(-1)} },
		"taken up for the probes only": func() hash.Hash { return strange{Hash: sha256.New(), noResume: new(4)} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, err := webhook.NewVerifierOn(newHash, []string{"another", secret})
			require.NoError(t, err)
			for _, vector := range vectors(t) {
				if slices.Equal(vector.Secrets, []string{secret}) {
					assert.ErrorIs(t, v.Verify(vector.payload(t), vector.Signature), vector.wantErr(t), vector.Name)
				}
			}
		})
	}
}

// strange is a SHA-256 whose state is not to be relied on.
type strange struct {
	hash.Hash
	prefix        string
	short, noSave bool
	noResume      *int // how many more times it may be resumed; nil: always; negative: never
}

func (s strange) AppendBinary(b []byte) ([]byte, error) {
	if s.noSave {
		return nil, errors.New("no")
	}
	state, err := s.Hash.(encoding.BinaryAppender).AppendBinary(nil)
	if s.short {
		state = state[:2]
	}
	return append(append(b, s.prefix...), state...), err
}

func (s strange) UnmarshalBinary(b []byte) error {
	if s.short {
		return nil
	}
	if s.noResume != nil {
		if *s.noResume <= 0 {
			return errors.New("no")
		}
		*s.noResume--
	}
	return s.Hash.(encoding.BinaryUnmarshaler).UnmarshalBinary(b[len(s.prefix):])
}

func TestVerifierDoesNotAllocate(t *testing.T) {
	payload := bytes.Repeat([]byte("x"), 250)
	right, wrong := webhook.Sign(secret, payload), webhook.Sign("another", payload)
	v, err := webhook.NewVerifier(strings.Repeat("k", sha256.BlockSize), strings.Repeat("k", sha256.BlockSize+1), secret)
	require.NoError(t, err)
	if raceEnabled() {
		t.Skip("under the race detector a sync.Pool drops what it is given, at random")
	}
	for name, signature := range map[string]string{
		"right": right, "wrong": wrong, "several": wrong + ", " + right, "malformed": "sha256=test123", "none": "",
	} {
		assert.Zero(t, testing.AllocsPerRun(200, func() { _ = v.Verify(payload, signature) }), name)
	}
}

func raceEnabled() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

func TestVerifierIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	v, err := webhook.NewVerifier("new", secret)
	require.NoError(t, err)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			payload := bytes.Repeat([]byte{byte(i)}, 100*i)
			right, wrong := webhook.Sign(secret, payload), webhook.Sign("another", payload)
			for range 200 {
				if !assert.NoError(t, v.Verify(payload, right)) || !assert.ErrorIs(t, v.Verify(payload, wrong), webhook.ErrMismatch) {
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestAPrintedVerifierOrHandlerShowsNoSecret(t *testing.T) {
	t.Parallel()
	v, err := webhook.NewVerifier(secret, "another")
	require.NoError(t, err)
	h, err := webhook.NewHandler(accept, []string{secret})
	require.NoError(t, err)
	nested := struct{ V *webhook.Verifier }{v}

	const shown = "webhook.Verifier(2 secrets)"
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		assert.Equal(t, shown, fmt.Sprintf(verb, v))
		assert.Equal(t, shown, fmt.Sprintf(verb, *v))
		for _, x := range []any{h, *h, nested, struct{ v webhook.Verifier }{*v}} {
			assertNoSecret(t, fmt.Sprintf(verb, x))
		}
	}
	for _, x := range []any{v, *v, nested, h} {
		raw, err := json.Marshal(x)
		require.NoError(t, err)
		assertNoSecret(t, string(raw))
	}
	var out bytes.Buffer
	for _, l := range []*slog.Logger{slog.New(slog.NewTextHandler(&out, nil)), slog.New(slog.NewJSONHandler(&out, nil))} {
		l.Info("made", "verifier", v, "value", *v, "nested", nested, "handler", h)
	}
	assert.Contains(t, out.String(), shown)
	assertNoSecret(t, out.String())
}

// assertNoSecret looks for the secret as text, as fmt prints bytes, in hex and in base64.
func assertNoSecret(t *testing.T, s string) {
	t.Helper()
	part := secret[:12]
	for _, form := range []string{
		part, fmt.Sprintf("%x", part), fmt.Sprintf("%X", part), base64.StdEncoding.EncodeToString([]byte(part)),
		strings.Trim(fmt.Sprint([]byte(part)), "[]"), strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", []byte(part)), "[]byte{"), "}"),
	} {
		assert.NotContains(t, s, form)
	}
}

func TestErrorsHoldNoSecretAndNoSignature(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t) {
		err := webhook.Verify(v.payload(t), v.Signature, v.Secrets...)
		if err == nil {
			continue
		}
		for _, text := range []string{err.Error(), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err)} {
			for _, s := range v.Secrets {
				if s != "" {
					assert.NotContains(t, text, s, v.Name)
				}
				digits := strings.TrimPrefix(webhook.Sign(s, v.payload(t)), "sha256=")
				assert.NotContains(t, strings.ToLower(text), digits[:8], v.Name)
			}
		}
	}
}

func FuzzSignature(f *testing.F) {
	for _, v := range vectors(f) {
		f.Add(v.Signature, v.payload(f), strings.Join(v.Secrets, "\n"))
	}
	f.Add(strings.Repeat(webhook.Sign("a", nil)+",", 17), []byte{}, "b\na")
	f.Add(strings.Repeat(" ", 5000), []byte{}, "a")
	f.Fuzz(func(t *testing.T, signature string, payload []byte, joined string) {
		secrets := strings.Split(joined, "\n")
		want := slowVerify(payload, signature, secrets)
		require.ErrorIs(t, webhook.Verify(payload, signature, secrets...), want)
		if !errors.Is(want, webhook.ErrNoSecret) {
			// What the secrets sign is authentic, in whatever company.
			for _, s := range secrets {
				right := webhook.Sign(s, payload)
				require.NoError(t, webhook.Verify(payload, right+","+signature[:min(len(signature), 1000)], secrets...))
			}
		}
	})
}

// slowVerify is the contract, written down step by step.
func slowVerify(payload []byte, header string, secrets []string) error {
	for _, s := range secrets {
		if strings.TrimFunc(s, unicode.IsSpace) == "" {
			return webhook.ErrNoSecret
		}
	}
	if len(header) > 4096 {
		return webhook.ErrMalformedSignature
	}
	if strings.TrimFunc(header, unicode.IsSpace) == "" {
		return webhook.ErrNoSignature
	}
	var wellFormed []string
	for part := range strings.SplitSeq(header, ",") {
		part = strings.TrimFunc(part, unicode.IsSpace)
		if !strings.HasPrefix(part, "sha256=") {
			continue
		}
		sum, err := hex.DecodeString(part[len("sha256="):])
		if err == nil && len(sum) == 32 {
			wellFormed = append(wellFormed, "sha256="+hex.EncodeToString(sum))
		}
	}
	if len(wellFormed) == 0 {
		return webhook.ErrMalformedSignature
	}
	for i, signature := range wellFormed {
		for _, s := range secrets {
			if i < 16 && signature == webhook.Sign(s, payload) {
				return nil
			}
		}
	}
	return webhook.ErrMismatch
}
