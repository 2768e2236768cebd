/** Every limit of the API, once: schemas enforce them, the API's description and the CLI tell them. */
export const limits = {
  /** Rows of one announcement. */
  rows: 100,
  /** Bytes of a request body, as it is sent. */
  bodyBytes: 1_000_000,
  /** The same of what a camera sends: a signing request, a token and a serial number have room in it. */
  cameraBodyBytes: 16_384,
  /** Characters, where nothing else is said. */
  serialNumber: 128,
  batch: 128,
  model: 128,
  claimToken: 256,
  claimTokenBits: 128,
  channels: 8,
  channel: 32,
  attributes: 20,
  attributeName: 64,
  attributeValue: 256,
  /** Why an operator does what they do. */
  reason: 500,
  claimId: 64,
  /** AWS IoT takes no longer one (CreateCertificateFromCsr). */
  certificateSigningRequest: 4096,
  /** Items of one page of any list. */
  page: 1000,
  /** Wrong claim tokens an hour for one serial number, after which none is looked at. */
  wrongTokensAnHour: 10,
} as const;
