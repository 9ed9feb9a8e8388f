plugins {
    alias(libs.plugins.android.application)
}

android {
    namespace = "org.mobilesr.app"
    compileSdk = libs.versions.target.sdk.get().toInt()

    defaultConfig {
        applicationId = "org.mobilesr.app"
        minSdk = libs.versions.min.sdk.get().toInt()
        targetSdk = libs.versions.target.sdk.get().toInt()
        versionCode = libs.versions.version.code.get().toInt()
        versionName = libs.versions.version.name.get()
        ndk { abiFilters += listOf("arm64-v8a", "x86_64") }
    }

    // The runtime is the library's matter; the app only passes the choice on.
    flavorDimensions += "runtime"
    productFlavors {
        create("litert") {
            dimension = "runtime"
            isDefault = true
        }
        create("classic") {
            dimension = "runtime"
            versionNameSuffix = "-classic"
        }
    }

    // The key is whoever publishes the app's: its place and passwords come from ~/.gradle/gradle.properties, never from here.
    signingConfigs {
        create("upload") {
            providers.gradleProperty("mobilesr.keystore").orNull?.let { storeFile = file(it) }
            storePassword = providers.gradleProperty("mobilesr.keystore.password").orNull
            keyAlias = providers.gradleProperty("mobilesr.key").orNull
            keyPassword = providers.gradleProperty("mobilesr.key.password").orNull
        }
    }

    buildTypes {
        debug { applicationIdSuffix = ".debug" }
        release {
            isMinifyEnabled = true
            isShrinkResources = true
            proguardFiles(getDefaultProguardFile("proguard-android-optimize.txt"), "proguard-rules.pro")
            if (providers.gradleProperty("mobilesr.keystore").isPresent) signingConfig = signingConfigs.getByName("upload")
        }
    }

    androidResources { noCompress += "tflite" }

    // Tests of this module run on Maven only, with Robolectric and LiteRT's library for the host: see ../README.md.
    sourceSets {
        getByName("test") {
            java.setSrcDirs(emptyList<String>())
            kotlin.setSrcDirs(emptyList<String>())
        }
    }

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_17
        targetCompatibility = JavaVersion.VERSION_17
    }

    lint {
        abortOnError = true
        warningsAsErrors = false
    }
}

dependencies {
    implementation(project(":library"))
}
