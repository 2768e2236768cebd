/** Documents and commands of the seed page (Kinesis Video Streams guide, how-iot) that a walk needs more than once. */

export const TRUST = `{
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {
                "Service": "credentials.iot.amazonaws.com"
            },
            "Action": "sts:AssumeRole"
        }
    ]
}`;

/** The page's permission policy; its three variants differ in the name of the stream. */
export const permission = (stream: string) => `{
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": [
                "kinesisvideo:DescribeStream",
                "kinesisvideo:PutMedia",
                "kinesisvideo:TagStream",
                "kinesisvideo:GetDataEndpoint"
            ],
            "Resource": "arn:aws:kinesisvideo:*:*:stream/${stream}/*"
        }
    ]
}`;

export const PUT_PERMISSION =
  "aws --profile default iam put-role-policy --role-name KVSCameraCertificateBasedIAMRole --policy-name KVSCameraIAMPolicy --policy-document 'file://iam-permission-document.json' ";

/** The page writes the endpoint as a placeholder and says in a note how to get its value. */
const ENDPOINT = 'IOT_GET_CREDENTIAL_ENDPOINT=`cat iot-credential-provider.txt`\n';
export const GET_TOKEN = `${ENDPOINT}curl --silent -H "x-amzn-iot-thingname:kvs_example_camera_stream" --cert certificate.pem --key private.pem.key https://$IOT_GET_CREDENTIAL_ENDPOINT/role-aliases/KvsCameraIoTRoleAlias/credentials --cacert ./cacert.pem > token.json`;
export const GET_TOKEN_WITHOUT_THING = GET_TOKEN.replace('-H "x-amzn-iot-thingname:kvs_example_camera_stream" ', '');

export const WITH_TOKEN =
  "AWS_ACCESS_KEY_ID=$(jq --raw-output '.credentials.accessKeyId' token.json) AWS_SECRET_ACCESS_KEY=$(jq --raw-output '.credentials.secretAccessKey' token.json) AWS_SESSION_TOKEN=$(jq --raw-output '.credentials.sessionToken' token.json)";
export const CERTIFICATE_ID = "export CERTIFICATE_ID=`cat certificate | jq --raw-output '.certificateId'`\n";
