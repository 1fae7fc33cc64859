// Sends one request to BD CAN Plus and waits for its receipt: go run . [REFERENCE]
// go run . amend REFERENCE and go run . withdraw REFERENCE change what was sent under that reference.
// It ends with 0 when the request was accepted, with 1 when it was refused, with 2 when no receipt came in time.
package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"strconv"
	"strings"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

const (
	accepted = "bdcan.intake.inbound-referral.accepted.v1"
	refused  = "bdcan.intake.inbound-referral.refused.v1"
)

var types = map[string]string{
	"submit":   "bdcan.intake.inbound-referral.submitted.v1",
	"amend":    "bdcan.intake.inbound-referral.amended.v1",
	"withdraw": "bdcan.intake.inbound-referral.withdrawn.v1",
}

type person struct {
	Name     string `json:"name,omitempty"`
	Phone    string `json:"phone,omitempty"`
	Postcode string `json:"postcode,omitempty"`
}

// request is the body of any request: what it does not say is left out.
type request struct {
	Source    string   `json:"source"`
	Reference string   `json:"reference"`
	Channel   string   `json:"channel,omitempty"`
	Person    *person  `json:"person,omitempty"`
	Needs     []string `json:"needs,omitempty"`
	Notes     string   `json:"notes,omitempty"`
	Reason    string   `json:"reason,omitempty"`
}

type receipt struct {
	ReferralID string `json:"referral_id"`
	Duplicate  bool   `json:"duplicate"`
	State      string `json:"state"`
	Record     struct {
		ID string `json:"id"`
	} `json:"record"` // the record that it answers
	Problems []struct {
		Field   string `json:"field"`
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"problems"`
}

func main() {
	verb, words := "submit", os.Args[1:]
	if len(words) > 0 && types[words[0]] != "" {
		verb, words = words[0], words[1:]
	}
	reference := fmt.Sprintf("go-%d", time.Now().Unix())
	if len(words) > 0 {
		reference = words[0]
	}
	code, err := run(verb, reference, setting("BDCAN_SOURCE", ""))
	if err != nil {
		log.Fatalf("%s: %v", reference, err) // ends with 1, as a refusal does: read the words
	}
	os.Exit(code)
}

func run(verb, reference, source string) (int, error) {
	seconds, err := strconv.Atoi(setting("BDCAN_WAIT_SECONDS", "60"))
	if err != nil {
		return 0, err
	}
	event := newEvent(verb, reference, source)
	if err := send(event); err != nil {
		return 0, err
	}
	fmt.Printf("sent %s:%s with the id %s\n", source, reference, event.ID())
	kind, found, err := receiptOf(event, time.Duration(seconds)*time.Second)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		fmt.Printf("no receipt within %d seconds: send the same event again, under the same id\n", seconds)
		return 2, nil
	case err != nil:
		return 0, err
	case kind == accepted:
		what := fmt.Sprintf("%s: it is %s", verb, found.State)
		if found.Duplicate {
			what = "a duplicate"
		}
		fmt.Printf("accepted as referral %s (%s)\n", found.ReferralID, what)
		return 0, nil
	}
	fmt.Println("refused:")
	for _, problem := range found.Problems {
		field := problem.Field
		if field == "" {
			field = "the record"
		}
		fmt.Printf("  %s: %s (%s)\n", field, problem.Message, problem.Code)
	}
	return 1, nil
}

// newEvent makes a request. Send it again under the same id where you are not sure that it arrived.
func newEvent(verb, reference, source string) cloudevents.Event {
	event := cloudevents.NewEvent()
	event.SetID(rand.Text())
	event.SetSource(source)
	event.SetType(types[verb])
	event.SetSubject(source + ":" + reference)
	event.SetTime(time.Now())
	if err := event.SetData(cloudevents.ApplicationJSON, newRequest(verb, reference, source)); err != nil {
		panic(err) // the body is a struct of texts
	}
	return event
}

// newRequest says what is asked. An amendment carries what changes, and nothing else.
func newRequest(verb, reference, source string) request {
	said := request{Source: source, Reference: reference}
	switch verb {
	case "withdraw":
		said.Reason = "no-longer-needed"
	case "amend":
		said.Person, said.Notes = &person{Phone: "07700 900418"}, "Ring after ten."
	default:
		said.Channel, said.Needs = "gp", []string{"food-parcel", "prescription"}
		said.Person = &person{Name: "Amina Example", Phone: "07700 900417", Postcode: "RM10 8XX"}
	}
	return said
}

// send writes the event in binary mode. The client retries for two minutes, and no retry makes a second record.
func send(event cloudevents.Event) error {
	if err := event.Validate(); err != nil {
		return err
	}
	client, err := kgo.NewClient(connection(
		kgo.RecordDeliveryTimeout(2*time.Minute),
		kgo.ProducerBatchCompression(kgo.GzipCompression()),
	)...)
	if err != nil {
		return err
	}
	defer client.Close()
	record := &kgo.Record{
		Topic: setting("BDCAN_INBOUND_TOPIC", ""),
		Key:   []byte(event.Subject()), // one key, one order: what you say later about a referral is read later
		Value: event.Data(),
		Headers: []kgo.RecordHeader{
			{Key: "content-type", Value: []byte(event.DataContentType())},
			{Key: "ce_specversion", Value: []byte(event.SpecVersion())},
			{Key: "ce_id", Value: []byte(event.ID())},
			{Key: "ce_type", Value: []byte(event.Type())},
			{Key: "ce_source", Value: []byte(event.Source())},
			{Key: "ce_subject", Value: []byte(event.Subject())},
			{Key: "ce_time", Value: []byte(event.Time().UTC().Format(time.RFC3339Nano))},
		},
	}
	return client.ProduceSync(context.Background(), record).FirstErr()
}

// receiptOf reads until the receipt of this event. The group remembers what it has read: the next run goes on from there.
func receiptOf(sent cloudevents.Event, wait time.Duration) (string, receipt, error) {
	client, err := kgo.NewClient(connection(
		kgo.ConsumerGroup(setting("BDCAN_GROUP", "")), // begins with the prefix that you were given
		kgo.ConsumeTopics(setting("BDCAN_RECEIPTS_TOPIC", "")),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.DisableAutoCommit(),
	)...)
	if err != nil {
		return "", receipt{}, err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	seen := map[string]bool{}
	for {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			return "", receipt{}, ctx.Err()
		}
		for _, failed := range fetches.Errors() {
			return "", receipt{}, failed.Err
		}
		for _, record := range fetches.Records() {
			event := readEvent(record)
			name := event.Source() + " " + event.ID()
			var found receipt
			mine := false
			if kind := event.Type(); !seen[name] && (kind == accepted || kind == refused) {
				seen[name] = true // a receipt may come twice
				if err := json.Unmarshal(event.Data(), &found); err != nil {
					return "", receipt{}, err
				}
				mine = found.Record.ID == sent.ID()
			}
			// after the work: what was not committed is read again
			if err := client.CommitRecords(context.Background(), record); err != nil {
				return "", receipt{}, err
			}
			if mine {
				return event.Type(), found, nil
			}
		}
	}
}

// readEvent reads a record in binary mode: each attribute is a header.
func readEvent(record *kgo.Record) cloudevents.Event {
	event := cloudevents.NewEvent()
	for _, header := range record.Headers {
		switch value := string(header.Value); header.Key {
		case "ce_id":
			event.SetID(value)
		case "ce_source":
			event.SetSource(value)
		case "ce_type":
			event.SetType(value)
		case "ce_subject":
			event.SetSubject(value)
		}
	}
	event.DataEncoded = record.Value
	return event
}

func connection(more ...kgo.Opt) []kgo.Opt {
	auth := scram.Auth{User: setting("BDCAN_USER", ""), Pass: password()}
	options := []kgo.Opt{
		kgo.SeedBrokers(strings.Split(setting("BDCAN_BOOTSTRAP", ""), ",")...),
		kgo.SASL(auth.AsSha512Mechanism()),
	}
	if setting("BDCAN_PROTOCOL", "SASL_SSL") == "SASL_SSL" {
		options = append(options, kgo.DialTLSConfig(&tls.Config{MinVersion: tls.VersionTLS12, RootCAs: authorities()}))
	}
	return append(options, more...)
}

// authorities is whom to trust: those of BDCAN_CA_FILE, where no public authority signed the broker's certificate.
func authorities() *x509.CertPool {
	file := os.Getenv("BDCAN_CA_FILE")
	if file == "" {
		return nil // those of the system
	}
	text, err := os.ReadFile(file)
	if err != nil {
		log.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		log.Fatalf("%s holds no certificate", file)
	}
	return pool
}

func password() string {
	if file := os.Getenv("BDCAN_PASSWORD_FILE"); file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			log.Fatal(err)
		}
		return strings.TrimSpace(string(text))
	}
	return setting("BDCAN_PASSWORD", "")
}

func setting(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	if otherwise == "" {
		log.Fatalf("set %s", name)
	}
	return otherwise
}
