import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import plist from '@expo/plist';

// The files that `expo prebuild` and `expo export` write: without these lines the app builds, and then has no Face ID, no passkeys, no
// keychain group or no time in the background.

const app = path.join(__dirname, '../..');
const project = path.join(app, 'ios/Holdfast');
const read = (name: string): Record<string, unknown> =>
  plist.parse(readFileSync(path.join(project, name), 'utf8')) as Record<string, unknown>;

describe('the Xcode project', () => {
  it('may use its keychain group, and passkeys of the server’s domain', () => {
    expect(read('Holdfast.entitlements')).toEqual({
      'keychain-access-groups': ['$(AppIdentifierPrefix)example.holdfast.demo'],
      'com.apple.developer.associated-domains': ['webcredentials:holdfast.example'],
    });
  });

  it('signs with these entitlements, in every configuration', () => {
    const text = readFileSync(path.join(app, 'ios/Holdfast.xcodeproj/project.pbxproj'), 'utf8');
    const bundles = text.match(/PRODUCT_BUNDLE_IDENTIFIER = "?example\.holdfast\.demo"?;/gu) ?? [];
    expect(text.match(/CODE_SIGN_ENTITLEMENTS = Holdfast\/Holdfast\.entitlements;/gu)).toHaveLength(bundles.length);
    expect(bundles).toHaveLength(2);
  });

  it('says why it asks for Face ID: without the words, iOS ends the app when it asks', () => {
    expect(read('Info.plist')['NSFaceIDUsageDescription']).toMatch(/^Holdfast asks for Face ID .{10,}\.$/u);
  });

  it('is given time in the background for the task that Expo registers, and only under that name', () => {
    const info = read('Info.plist');
    expect(info['BGTaskSchedulerPermittedIdentifiers']).toEqual(['com.expo.modules.backgroundtask.processing']);
    expect(info['UIBackgroundModes']).toContain('processing');
  });

  it('speaks without encryption to this machine alone', () => {
    expect(read('Info.plist')['NSAppTransportSecurity']).toEqual({
      NSAllowsArbitraryLoads: false,
      NSAllowsLocalNetworking: true,
    });
  });

  it('follows the phone between light and dark', () => {
    expect(read('Info.plist')['UIUserInterfaceStyle']).toBe('Automatic');
  });
});

describe('the bundle for the phone', () => {
  it('is Hermes bytecode', () => {
    const folder = path.join(app, 'dist/ios/_expo/static/js/ios');
    const bundles = readdirSync(folder).filter((name) => name.endsWith('.hbc'));
    expect(bundles).toHaveLength(1);
    const start = readFileSync(path.join(folder, bundles[0] ?? '')).subarray(0, 8);
    // The first eight bytes of every bytecode file.
    expect(start.toString('hex')).toBe('c61fbc03c103191f');
  });
});
