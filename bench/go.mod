module github.com/scriptix-io/scriptix-go/bench

go 1.26.0

require (
	github.com/google/go-github/v92 v92.0.0
	github.com/scriptix-io/scriptix-go v0.0.0
	github.com/stripe/stripe-go/v85 v85.0.0
	golang.org/x/sys v0.49.0
	resty.dev/v3 v3.0.0-rc.4
)

require (
	github.com/google/go-querystring v1.2.0 // indirect
	github.com/hashicorp/go-cleanhttp v0.5.2 // indirect
	github.com/hashicorp/go-retryablehttp v0.7.8 // indirect
	golang.org/x/net v0.43.0 // indirect
)

replace github.com/scriptix-io/scriptix-go => ../
