// Sends one request to BD CAN Plus and waits for its receipt: `node send-referral.js [REFERENCE]`.
// `node send-referral.js amend REFERENCE` and `… withdraw REFERENCE` change what was sent under that reference.
// It ends with 0 when the request was accepted, with 1 when it was refused, with 2 when no receipt came in time.
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { CloudEvent, Kafka as Binding } from "cloudevents";
import { Kafka, logLevel } from "kafkajs";

const TYPES = {
  submit: "bdcan.intake.inbound-referral.submitted.v1",
  amend: "bdcan.intake.inbound-referral.amended.v1",
  withdraw: "bdcan.intake.inbound-referral.withdrawn.v1",
};
const ACCEPTED = "bdcan.intake.inbound-referral.accepted.v1";
const REFUSED = "bdcan.intake.inbound-referral.refused.v1";

const env = process.env;
const { BDCAN_USER: username, BDCAN_SOURCE: source } = env;
const password = env.BDCAN_PASSWORD_FILE
  ? readFileSync(env.BDCAN_PASSWORD_FILE, "utf8").trim()
  : env.BDCAN_PASSWORD;
const waitSeconds = Number(env.BDCAN_WAIT_SECONDS ?? 60);

const kafka = new Kafka({
  clientId: username,
  brokers: env.BDCAN_BOOTSTRAP.split(","),
  ssl: (env.BDCAN_PROTOCOL ?? "SASL_SSL") === "SASL_SSL" && authority(),
  sasl: { mechanism: "scram-sha-512", username, password },
  logLevel: logLevel.ERROR,
});

// Where no public authority signed the broker's certificate, BDCAN_CA_FILE names a file with the one that did.
function authority() {
  return env.BDCAN_CA_FILE ? { ca: [readFileSync(env.BDCAN_CA_FILE, "utf8")] } : true;
}

// What a request says. An amendment carries what changes, and nothing else.
function body(verb, reference) {
  const named = { source, reference };
  if (verb === "withdraw") return { ...named, reason: "no-longer-needed" };
  if (verb === "amend") return { ...named, person: { phone: "07700 900418" }, notes: "Ring after ten." };
  return {
    ...named,
    channel: "gp",
    person: { name: "Amina Example", phone: "07700 900417", postcode: "RM10 8XX" },
    needs: ["food-parcel", "prescription"],
  };
}

// A request. Send it again under the same id where you are not sure that it arrived.
function request(verb, reference) {
  return new CloudEvent({
    id: randomUUID(),
    source,
    type: TYPES[verb],
    subject: `${source}:${reference}`,
    time: new Date().toISOString(),
    datacontenttype: "application/json",
    data: body(verb, reference),
  });
}

// The producer retries, and no retry makes a second record.
async function send(event) {
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 });
  await producer.connect();
  // the SDK names attributes that the event does not have, and kafkajs cannot write a header without a value
  const headers = Object.fromEntries(Object.entries(Binding.binary(event).headers).filter(([, value]) => value));
  // one key, one order: what you say later about a referral is read later
  const record = { key: event.subject, headers, value: JSON.stringify(event.data) };
  await producer.send({ topic: env.BDCAN_INBOUND_TOPIC, acks: -1, messages: [record] });
  await producer.disconnect();
}

// The receipt of this event. The group remembers what it has read, so the next run goes on from there.
async function receiptOf(sent) {
  const consumer = kafka.consumer({ groupId: env.BDCAN_GROUP }); // begins with the prefix that you were given
  await consumer.connect();
  await consumer.subscribe({ topics: [env.BDCAN_RECEIPTS_TOPIC], fromBeginning: true });
  const seen = new Set();
  const { promise, resolve, reject } = withResolvers();
  const timer = setTimeout(resolve, waitSeconds * 1000, null);
  consumer.on(consumer.events.CRASH, ({ payload }) => payload.restart || reject(payload.error));
  await consumer.run({
    autoCommit: false,
    eachMessage: async ({ topic, partition, message }) => {
      const headers = Object.fromEntries(Object.entries(message.headers).map(([name, value]) => [name, String(value)]));
      const id = `${headers.ce_source} ${headers.ce_id}`;
      if (!seen.has(id) && [ACCEPTED, REFUSED].includes(headers.ce_type)) {
        seen.add(id); // a receipt may come twice; it quotes the record that it answers
        const event = Binding.toEvent({ headers, value: message.value, body: String(message.value) });
        const data = typeof event.data === "string" ? JSON.parse(event.data) : event.data;
        if (data.record?.id === sent.id) resolve({ type: event.type, data });
      }
      // after the work: what was not committed is read again
      await consumer.commitOffsets([{ topic, partition, offset: String(BigInt(message.offset) + 1n) }]);
    },
  });
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    await consumer.disconnect();
  }
}

function withResolvers() {
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  return made;
}

const words = process.argv.slice(2);
const verb = words[0] in TYPES ? words.shift() : "submit";
const reference = words[0] ?? `javascript-${Date.now()}`;
const event = request(verb, reference);
await send(event);
console.log(`sent ${source}:${reference} with the id ${event.id}`);
const receipt = await receiptOf(event);
if (receipt === null) {
  console.log(`no receipt within ${waitSeconds} seconds: send the same event again, under the same id`);
  process.exitCode = 2;
} else if (receipt.type === ACCEPTED) {
  const { referral_id, duplicate, state } = receipt.data;
  console.log(`accepted as referral ${referral_id} (${duplicate ? "a duplicate" : `${verb}: it is ${state}`})`);
} else {
  console.log("refused:");
  for (const { field, code, message } of receipt.data.problems) {
    console.log(`  ${field || "the record"}: ${message} (${code})`);
  }
  process.exitCode = 1;
}
