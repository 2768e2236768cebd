import type { Clock } from '../clock.ts';
import { AwsError } from '../error.ts';
import type { Operation } from '../service.ts';
import { byToken, pageOf } from './pages.ts';
import type { Registry } from './registry.ts';
import { checkBody, existingTemplate, existingVersion } from './templates.ts';

/** General Reference: versions per provisioning template, not adjustable. */
const MOST_VERSIONS = 5;

export function templateVersionOperations({
  registry,
  clock,
}: {
  registry: Registry;
  clock: Clock;
}): Record<string, Operation> {
  return {
    CreateProvisioningTemplateVersion({ templateName, templateBody, setAsDefault = false }) {
      const template = existingTemplate(registry, templateName);
      checkBody(templateBody, template.type);
      if (template.versions.size >= MOST_VERSIONS) {
        const message = `The template ${templateName} already has the maximum number of versions (${MOST_VERSIONS})`;
        throw new AwsError('VersionsLimitExceededException', 409, message);
      }
      template.lastVersionId += 1;
      const versionId = template.lastVersionId;
      template.versions.set(versionId, { templateBody, creationDate: clock.now() });
      template.lastModifiedDate = clock.now();
      if (setAsDefault) template.defaultVersionId = versionId;
      return { templateArn: template.templateArn, templateName, versionId, isDefaultVersion: setAsDefault };
    },

    DescribeProvisioningTemplateVersion({ templateName, versionId }) {
      const template = existingTemplate(registry, templateName);
      const { templateBody, creationDate } = existingVersion(template, versionId);
      const isDefaultVersion = template.defaultVersionId === versionId;
      return { versionId, templateBody, creationDate: new Date(creationDate), isDefaultVersion };
    },

    ListProvisioningTemplateVersions({ templateName, ...input }) {
      const { versions, defaultVersionId } = existingTemplate(registry, templateName);
      const inOrder = ([versionId]: [number, unknown]) => String(versionId).padStart(10, '0');
      const { items, next } = pageOf(versions, inOrder, byToken(input));
      const shown = items.map(([versionId, { creationDate }]) => {
        return { versionId, creationDate: new Date(creationDate), isDefaultVersion: versionId === defaultVersionId };
      });
      return { versions: shown, nextToken: next };
    },

    DeleteProvisioningTemplateVersion({ templateName, versionId }) {
      const template = existingTemplate(registry, templateName);
      existingVersion(template, versionId);
      if (template.defaultVersionId === versionId) {
        throw new AwsError(
          'DeleteConflictException',
          409,
          'Cannot delete the default version of a provisioning template',
        );
      }
      template.versions.delete(versionId);
      return {};
    },
  };
}
