import io.cloudevents.CloudEvent;
import io.cloudevents.core.builder.CloudEventBuilder;
import io.cloudevents.kafka.CloudEventDeserializer;
import io.cloudevents.kafka.CloudEventSerializer;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Sends one request to BD CAN Plus and waits for its receipt: {@code java -jar … [REFERENCE]}.
 *
 * <p>{@code … amend REFERENCE} and {@code … withdraw REFERENCE} change what was sent under that reference.
 *
 * <p>It ends with 0 when the request was accepted, with 1 when it was refused, with 2 when no receipt came in time.
 */
public final class SendReferral {
    private static final Map<String, String> TYPES = Map.of(
            "submit", "bdcan.intake.inbound-referral.submitted.v1",
            "amend", "bdcan.intake.inbound-referral.amended.v1",
            "withdraw", "bdcan.intake.inbound-referral.withdrawn.v1");
    private static final String ACCEPTED = "bdcan.intake.inbound-referral.accepted.v1";
    private static final String REFUSED = "bdcan.intake.inbound-referral.refused.v1";
    private static final JsonMapper JSON = new JsonMapper();

    private final String source = setting("BDCAN_SOURCE", null);
    private final Duration wait = Duration.ofSeconds(Long.parseLong(setting("BDCAN_WAIT_SECONDS", "60")));

    public static void main(String[] arguments) throws Exception {
        boolean named = arguments.length > 0 && TYPES.containsKey(arguments[0]);
        String verb = named ? arguments[0] : "submit";
        int place = named ? 1 : 0;
        String reference = arguments.length > place ? arguments[place] : "java-" + Instant.now().getEpochSecond();
        System.exit(new SendReferral().run(verb, reference));
    }

    private int run(String verb, String reference) throws IOException, ExecutionException, InterruptedException {
        CloudEvent event = request(verb, reference);
        send(event);
        System.out.printf("sent %s:%s with the id %s%n", source, reference, event.getId());
        Optional<CloudEvent> receipt = receiptOf(event);
        if (receipt.isEmpty()) {
            System.out.printf(
                    "no receipt within %d seconds: send the same event again, under the same id%n", wait.toSeconds());
            return 2;
        }
        JsonNode data = JSON.readTree(receipt.get().getData().toBytes());
        if (receipt.get().getType().equals(ACCEPTED)) {
            boolean duplicate = data.get("duplicate").asBoolean();
            String what = duplicate ? "a duplicate" : verb + ": it is " + data.get("state").asString();
            System.out.printf("accepted as referral %s (%s)%n", data.get("referral_id").asString(), what);
            return 0;
        }
        System.out.println("refused:");
        for (JsonNode problem : data.get("problems")) {
            String field = problem.get("field").asString();
            System.out.printf(
                    "  %s: %s (%s)%n",
                    field.isEmpty() ? "the record" : field,
                    problem.get("message").asString(),
                    problem.get("code").asString());
        }
        return 1;
    }

    /** What a request says. An amendment carries what changes, and nothing else. */
    private Map<String, Object> body(String verb, String reference) {
        Map<String, Object> said = new HashMap<>(Map.of("source", source, "reference", reference));
        switch (verb) {
            case "withdraw" -> said.put("reason", "no-longer-needed");
            case "amend" -> {
                said.put("person", Map.of("phone", "07700 900418"));
                said.put("notes", "Ring after ten.");
            }
            default -> {
                said.put("channel", "gp");
                said.put("person", Map.of("name", "Amina Example", "phone", "07700 900417", "postcode", "RM10 8XX"));
                said.put("needs", List.of("food-parcel", "prescription"));
            }
        }
        return said;
    }

    /** A request. Send it again under the same id where you are not sure that it arrived. */
    private CloudEvent request(String verb, String reference) {
        return CloudEventBuilder.v1()
                .withId(UUID.randomUUID().toString())
                .withSource(URI.create(source))
                .withType(TYPES.get(verb))
                .withSubject(source + ":" + reference)
                .withTime(OffsetDateTime.now(ZoneOffset.UTC))
                .withData("application/json", JSON.writeValueAsBytes(body(verb, reference)))
                .build();
    }

    /** Sends it. The producer retries for two minutes, and no retry makes a second record. */
    private void send(CloudEvent event) throws IOException, ExecutionException, InterruptedException {
        Map<String, Object> settings = connection();
        settings.put("acks", "all");
        settings.put("enable.idempotence", true);
        settings.put("delivery.timeout.ms", 120_000);
        try (var producer = new KafkaProducer<>(settings, new StringSerializer(), new CloudEventSerializer())) {
            // one key, one order: what you say later about a referral is read later
            producer.send(new ProducerRecord<>(setting("BDCAN_INBOUND_TOPIC", null), event.getSubject(), event)).get();
        }
    }

    /** The receipt of this event. The group remembers what it has read, so the next run goes on from there. */
    private Optional<CloudEvent> receiptOf(CloudEvent sent) throws IOException {
        Map<String, Object> settings = connection();
        settings.put("group.id", setting("BDCAN_GROUP", null)); // begins with the prefix that you were given
        settings.put("auto.offset.reset", "earliest");
        settings.put("enable.auto.commit", false);
        Set<String> seen = new HashSet<>();
        Instant end = Instant.now().plus(wait);
        try (var consumer = new KafkaConsumer<>(settings, new StringDeserializer(), new CloudEventDeserializer())) {
            consumer.subscribe(List.of(setting("BDCAN_RECEIPTS_TOPIC", null)));
            while (Instant.now().isBefore(end)) {
                for (ConsumerRecord<String, CloudEvent> record : consumer.poll(Duration.ofSeconds(1))) {
                    CloudEvent event = record.value();
                    boolean fresh = seen.add(event.getSource() + " " + event.getId()); // a receipt may come twice
                    boolean mine = fresh && answers(event, sent);
                    // after the work: what was not committed is read again
                    consumer.commitSync(Map.of(
                            new TopicPartition(record.topic(), record.partition()),
                            new OffsetAndMetadata(record.offset() + 1)));
                    if (mine) {
                        return Optional.of(event);
                    }
                }
            }
        }
        return Optional.empty();
    }

    /** Whether an event is the receipt of what was sent: it quotes the record that it answers. */
    private static boolean answers(CloudEvent event, CloudEvent sent) {
        if (!Set.of(ACCEPTED, REFUSED).contains(event.getType()) || event.getData() == null) {
            return false;
        }
        JsonNode data = JSON.readTree(event.getData().toBytes());
        return data.path("record").path("id").asString("").equals(sent.getId());
    }

    private Map<String, Object> connection() throws IOException {
        String file = setting("BDCAN_PASSWORD_FILE", "");
        String password = file.isEmpty() ? setting("BDCAN_PASSWORD", null) : Files.readString(Path.of(file)).strip();
        Map<String, Object> settings = new HashMap<>();
        settings.put("bootstrap.servers", setting("BDCAN_BOOTSTRAP", null));
        settings.put("security.protocol", setting("BDCAN_PROTOCOL", "SASL_SSL"));
        settings.put("sasl.mechanism", "SCRAM-SHA-512");
        settings.put(
                "sasl.jaas.config",
                "org.apache.kafka.common.security.scram.ScramLoginModule required username=\"%s\" password=\"%s\";"
                        .formatted(setting("BDCAN_USER", null), password));
        String authority = setting("BDCAN_CA_FILE", ""); // where no public authority signed the broker's certificate
        if (!authority.isEmpty()) {
            settings.put("ssl.truststore.type", "PEM");
            settings.put("ssl.truststore.location", authority);
        }
        return settings;
    }

    private static String setting(String name, String otherwise) {
        String value = System.getenv(name);
        if (value != null && !value.isEmpty()) {
            return value;
        }
        if (otherwise == null) {
            throw new IllegalStateException("set " + name);
        }
        return otherwise;
    }
}
