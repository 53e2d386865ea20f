// The AWS SDK for JavaScript: files, streams, listings, ranges, conditions, presigned URLs, copies, versions, deletes.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createReadStream, readdirSync, readFileSync, statSync } from "node:fs";
import { join, relative } from "node:path";

import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListObjectVersionsCommand,
  paginateListObjectsV2,
  PutBucketVersioningCommand,
  PutObjectCommand,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";

import { client, presigner } from "./connect.mjs";

const [Bucket, tree] = process.argv.slice(2);
const large = "large/twenty.bin";

function filesBelow(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? filesBelow(path) : [relative(tree, path)];
  });
}

const names = filesBelow(tree);
const content = (name) => readFileSync(join(tree, name));
const digest = (data) => createHash("sha256").update(data).digest("hex");

async function read(Key, more = {}) {
  const answer = await client.send(new GetObjectCommand({ Bucket, Key, ...more }));
  return Buffer.from(await answer.Body.transformToByteArray());
}

async function refusal(command) {
  try {
    await client.send(command);
  } catch (error) {
    return [error.name, error.$metadata.httpStatusCode];
  }
  return assert.fail("not refused");
}

async function listed(Prefix) {
  const entries = [];
  for await (const page of paginateListObjectsV2({ client, pageSize: 50 }, { Bucket, Prefix })) {
    entries.push(...(page.Contents ?? []));
  }
  return entries;
}

async function aBucketIsMade() {
  await client.send(new CreateBucketCommand({ Bucket }));
  await client.send(new HeadBucketCommand({ Bucket }));
  const { Buckets } = await client.send(new ListBucketsCommand({}));
  assert.ok(Buckets.some((bucket) => bucket.Name === Bucket));
}

async function theTreeGoesUpAndComesBack() {
  for (const name of names) {
    const params = { Bucket, Key: `tree/${name}`, Body: createReadStream(join(tree, name)) };
    await new Upload({ client, params, queueSize: 3, partSize: 5 << 20 }).done();
  }
  const found = new Map((await listed("tree/")).map((entry) => [entry.Key, entry.Size]));
  assert.deepEqual(found, new Map([...found.keys()].map((key) => [key, statSync(join(tree, key.slice(5))).size])));
  assert.equal(found.size, names.length);
  for (const name of names) {
    assert.equal(digest(await read(`tree/${name}`)), digest(content(name)), name);
  }
}

async function bodiesOfEveryKindGoUp() {
  const text = "text with umlauts: äöü";
  await client.send(new PutObjectCommand({ Bucket, Key: "kind/text", Body: text }));
  assert.equal((await read("kind/text")).toString(), text);
  await client.send(new PutObjectCommand({ Bucket, Key: "kind/empty" }));
  assert.equal((await read("kind/empty")).length, 0);
  for (const ChecksumAlgorithm of ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"]) {
    const Key = `kind/${ChecksumAlgorithm}`;
    const Body = createReadStream(join(tree, large));
    const sent = await client.send(
      new PutObjectCommand({ Bucket, Key, Body, ContentLength: statSync(join(tree, large)).size, ChecksumAlgorithm }),
    );
    const head = await client.send(new HeadObjectCommand({ Bucket, Key, ChecksumMode: "ENABLED" }));
    assert.equal(head[`Checksum${ChecksumAlgorithm}`], sent[`Checksum${ChecksumAlgorithm}`]);
    assert.ok(head[`Checksum${ChecksumAlgorithm}`]);
    assert.equal(head.ContentEncoding, undefined);
    assert.equal(digest(await read(Key)), digest(content(large)));
  }
}

async function rangesAreRead() {
  const whole = content(large);
  assert.deepEqual(await read(`tree/${large}`, { Range: "bytes=16380-16480" }), whole.subarray(16380, 16481));
  assert.deepEqual(await read(`tree/${large}`, { Range: "bytes=-9" }), whole.subarray(-9));
}

async function writesCanBeConditional() {
  const Key = "once";
  await client.send(new PutObjectCommand({ Bucket, Key, Body: "first", IfNoneMatch: "*" }));
  const again = new PutObjectCommand({ Bucket, Key, Body: "second", IfNoneMatch: "*" });
  assert.deepEqual(await refusal(again), ["PreconditionFailed", 412]);
  assert.equal((await read(Key)).toString(), "first");
  assert.deepEqual(await refusal(new GetObjectCommand({ Bucket, Key: "absent" })), ["NoSuchKey", 404]);
}

async function presignedUrlsOpenWhatTheyName() {
  const Key = "signed/ü +";
  const put = await getSignedUrl(presigner, new PutObjectCommand({ Bucket, Key }), { expiresIn: 60 });
  const sent = await fetch(put, { method: "PUT", body: "by url" });
  assert.equal(sent.status, 200, await sent.text());
  const get = await getSignedUrl(client, new GetObjectCommand({ Bucket, Key }), { expiresIn: 60 });
  assert.equal(await (await fetch(get)).text(), "by url");
  const part = await fetch(get, { headers: { Range: "bytes=3-" } });
  assert.deepEqual([part.status, await part.text()], [206, "url"]);
}

async function partsAreSentByPresignedUrls() {
  const key = { Bucket, Key: "signed/parts" };
  const { UploadId } = await client.send(new CreateMultipartUploadCommand(key));
  const Parts = [];
  for (const [PartNumber, Body] of [[1, content(large).subarray(0, 5 << 20)], [2, Buffer.from("the end")]]) {
    const url = await getSignedUrl(presigner, new UploadPartCommand({ ...key, UploadId, PartNumber }), { expiresIn: 60 });
    const sent = await fetch(url, { method: "PUT", body: Body });
    assert.equal(sent.status, 200, await sent.text());
    Parts.push({ PartNumber, ETag: sent.headers.get("etag") });
  }
  await client.send(new CompleteMultipartUploadCommand({ ...key, UploadId, MultipartUpload: { Parts } }));
  assert.equal((await read(key.Key)).length, (5 << 20) + 7);
}

async function objectsAreCopiedAndMoved() {
  const CopySource = encodeURI(`${Bucket}/tree/odd/a.txt`);
  await client.send(new CopyObjectCommand({ Bucket, Key: "copied/a b+c", CopySource }));
  assert.deepEqual(await read("copied/a b+c"), content("odd/a.txt"));
  await client.send(new DeleteObjectCommand({ Bucket, Key: "copied/a b+c" }));
  assert.deepEqual(await refusal(new HeadObjectCommand({ Bucket, Key: "copied/a b+c" })), ["NotFound", 404]);
}

async function versionsAreKept() {
  const key = { Bucket, Key: "versioned" };
  await client.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: "Enabled" } }));
  const first = await client.send(new PutObjectCommand({ ...key, Body: "first" }));
  await client.send(new PutObjectCommand({ ...key, Body: "second" }));
  await client.send(new DeleteObjectCommand(key));
  assert.equal((await read(key.Key, { VersionId: first.VersionId })).toString(), "first");
  const found = await client.send(new ListObjectVersionsCommand({ Bucket, Prefix: key.Key }));
  assert.deepEqual([found.Versions.length, found.DeleteMarkers.length], [2, 1]);
}

async function manyAreDeletedAtOnce() {
  const Objects = Array.from({ length: 20 }, (_, number) => ({ Key: `batch/${number}` }));
  for (const { Key } of Objects) {
    await client.send(new PutObjectCommand({ Bucket, Key, Body: "x" }));
  }
  const gone = await client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }));
  assert.equal(gone.Deleted.length, 20);
  assert.equal((await listed("batch/")).length, 0);
}

const chapters = [
  aBucketIsMade,
  theTreeGoesUpAndComesBack,
  bodiesOfEveryKindGoUp,
  rangesAreRead,
  writesCanBeConditional,
  presignedUrlsOpenWhatTheyName,
  partsAreSentByPresignedUrls,
  objectsAreCopiedAndMoved,
  versionsAreKept,
  manyAreDeletedAtOnce,
];

for (const chapter of chapters) {
  try {
    await chapter();
    console.log(`ok ${chapter.name}`);
  } catch (error) {
    process.exitCode = 1;
    console.log(`FAILED ${chapter.name}\n${error.stack}`);
  }
}
